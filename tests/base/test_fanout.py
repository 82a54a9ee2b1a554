"""Many listeners, each bounded; a slow one never holds up the others."""

import asyncio

import pytest

from thorp.base.fanout import Fanout, Listener, SourceEndedError, TooSlowError


async def all_of(listener: Listener[int]) -> list[int]:
    seen: list[int] = []
    try:
        while True:
            seen += [one.item for one in await listener.take()]
    except SourceEndedError:
        return seen


def test_every_listener_gets_every_item_in_order() -> None:
    async def story() -> list[list[int]]:
        source = Fanout[int]()
        with source.listen() as first, source.listen() as second:
            for number in range(5):
                source.publish(number)
            source.close()
            return [await all_of(first), await all_of(second)]

    assert asyncio.run(story()) == [[0, 1, 2, 3, 4]] * 2


def test_a_slow_listener_is_dropped_and_the_others_go_on() -> None:
    async def story() -> list[int]:
        source, seen = Fanout[int](room=3), list[int]()
        with source.listen() as slow, source.listen() as quick:
            for number in range(10):
                source.publish(number)
                seen += [one.item for one in await quick.take()]
            assert source.listeners == 1
            with pytest.raises(TooSlowError):
                await slow.take()
        return seen

    assert asyncio.run(story()) == list(range(10))


def test_who_was_away_gets_what_was_missed() -> None:
    source = Fanout[str](remembered=3)
    for word in "abcde":
        source.publish(word)
    assert [one.item for one in source.since(3) or ()] == ["d", "e"]
    assert source.since(5) == ()


@pytest.mark.parametrize("number", [0, 1, 6, -1])
def test_what_is_no_longer_known_completely_is_not_pretended(number: int) -> None:
    source = Fanout[str](remembered=3)
    for word in "abcde":
        source.publish(word)
    assert source.since(number) is None


def test_a_listener_that_comes_after_the_end_ends_at_once() -> None:
    async def story() -> list[object]:
        source = Fanout[int]()
        source.close()
        with source.listen() as listener:
            return [await all_of(listener)]

    assert asyncio.run(story()) == [[]]


def test_a_listener_that_leaves_is_forgotten() -> None:
    source = Fanout[int]()
    with source.listen():
        assert source.listeners == 1
    assert source.listeners == 0


def test_silence_is_an_empty_answer_and_not_the_end() -> None:
    async def story() -> tuple[object, list[int]]:
        source = Fanout[int]()
        with source.listen() as listener:
            nothing = await listener.take(0.001)
            source.publish(7)
            return nothing, [one.item for one in await listener.take(60)]

    assert asyncio.run(story()) == ((), [7])
