import asyncio
from dataclasses import replace

import pytest

from thorp.base.errors import NetworkError
from thorp.identity.ids import NodeId
from thorp.mesh.lists import FAILED_FOR, MOST_BYTES, MOST_MODELS, PATIENCE, STALE_AFTER, Lists
from thorp.mesh.threads import CallThreads
from thorp.mesh.types import Neighbour
from thorp.net.mesh_line import Target
from thorp.net.outward_errors import OutwardStoppedError
from thorp.net.outward_line import Stop
from thorp.testing.clock import FakeClock
from thorp.testing.mesh import FakeHeard
from thorp.testing.process import until
from thorp.wire.shared import SharedFile, SharedList, SharedModel, list_digest

MODEL = SharedModel(
    model_id="m:1b:base:q4_0",
    repo="org/m",
    revision="a" * 40,
    version="main",
    artifact="m",
    format="gguf",
    size_bytes=1,
    added="2026-11-21T09:00:00Z",
    files=(SharedFile(path="m.gguf", size=1, sha256="b" * 64, blob="b" * 64, infohash="c" * 40),),
)
ANN = Neighbour(NodeId("ann"), "ann", "10.0.0.1", 2, 1, list_digest((MODEL,)), 1, (), 0.0, "packet")
BOB = replace(ANN, node=NodeId("bob"), address="10.0.0.2")


class Asked:
    """Neighbours that show one model each, and note who asks. `away` answers nobody, `stuck` never ends."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = ""
        self.stuck = ""
        self.unchanged = 0
        self.shown = (MODEL,)

    def models(self, target: Target, have: str = "", stop: Stop | None = None) -> SharedList | None:
        self.asked.append(target.address)
        if target.address == self.away:
            raise NetworkError("Nobody answers.")
        if target.address == self.stuck:
            assert stop is not None
            until(stop.is_set, "nobody waits for a neighbour that is stuck")
            raise OutwardStoppedError("Stopped.")
        if have and have == list_digest(self.shown):
            self.unchanged += 1
            return None
        return SharedList(node=next(iter(target.expected)), models=self.shown)


@pytest.fixture
def asked() -> Asked:
    return Asked()


def made(asked: Asked, *neighbours: Neighbour, clock: FakeClock | None = None) -> tuple[Lists, FakeHeard]:
    heard = FakeHeard(neighbours)
    patience = 0.2 if asked.stuck else PATIENCE
    return Lists(asked, heard, clock or FakeClock(), CallThreads(), patience=patience), heard


def every(lists: Lists) -> dict[str, int]:
    return {one.node: len(models) for one, models in asyncio.run(lists.every())}


def test_a_list_is_fetched_when_its_digest_is_new(asked: Asked) -> None:
    lists, heard = made(asked, ANN)

    assert [every(lists), every(lists)] == [{"ann": 1}] * 2
    assert asked.asked == ["10.0.0.1"]
    heard.neighbours = (replace(ANN, list_digest="0" * 64),)
    every(lists)
    assert len(asked.asked) == 2


def test_without_a_digest_it_is_fetched_again_after_a_while(asked: Asked) -> None:
    clock = FakeClock()
    lists, _ = made(asked, replace(ANN, list_digest="", by="call"), clock=clock)
    every(lists)
    every(lists)
    clock.advance(STALE_AFTER)
    every(lists)

    assert len(asked.asked) == 2


def test_a_list_that_is_still_the_same_is_not_sent_again(asked: Asked) -> None:
    clock = FakeClock()
    lists, _ = made(asked, replace(ANN, list_digest="", by="call"), clock=clock)
    every(lists)
    for _ in range(2):
        clock.advance(STALE_AFTER)
        assert every(lists) == {"ann": 1}

    assert asked.unchanged == 2


def test_who_says_that_nothing_is_shown_any_more_is_believed_at_once(asked: Asked) -> None:
    lists, heard = made(asked, ANN)
    every(lists)
    heard.neighbours, asked.shown = (replace(ANN, list_digest="", count=0),), ()

    assert [every(lists), every(lists)] == [{"ann": 0}] * 2
    assert len(asked.asked) == 2


def test_who_does_not_answer_is_left_out_and_the_others_are_not(asked: Asked) -> None:
    clock = FakeClock()
    lists, _ = made(asked, ANN, BOB, clock=clock)
    asked.away = ANN.address

    assert [every(lists), every(lists)] == [{"bob": 1}] * 2
    assert asked.asked.count(ANN.address) == 1
    asked.away = ""
    clock.advance(FAILED_FOR)
    assert every(lists) == {"ann": 1, "bob": 1}


def test_who_failed_and_was_heard_since_is_asked_at_once(asked: Asked) -> None:
    clock = FakeClock()
    lists, heard = made(asked, ANN, clock=clock)
    asked.away = ANN.address
    every(lists)
    clock.advance(1.0)
    heard.neighbours, asked.away = (replace(ANN, heard=clock.monotonic()),), ""

    assert every(lists) == {"ann": 1}


def test_who_failed_and_announces_another_list_is_asked_at_once(asked: Asked) -> None:
    lists, heard = made(asked, replace(ANN, list_digest="0" * 64))
    asked.away = ANN.address
    every(lists)
    heard.neighbours, asked.away = (ANN,), ""

    assert every(lists) == {"ann": 1}


def test_questions_at_once_wait_for_a_slow_neighbour_together(asked: Asked) -> None:
    lists, _ = made(asked, ANN, BOB)
    asked.away = ANN.address

    async def run() -> list[int]:
        return [len(one) for one in await asyncio.gather(*(lists.every() for _ in range(5)))]

    assert asyncio.run(run()) == [1] * 5
    assert asked.asked.count(ANN.address) == 1


def test_E60_one_that_is_stuck_keeps_nobody_from_the_lists_of_the_others(asked: Asked) -> None:
    asked.stuck, clock = ANN.address, FakeClock()
    lists, heard = made(asked, ANN, BOB, clock=clock)

    assert every(lists) == {"bob": 1}
    clock.advance(1.0)
    heard.neighbours = (replace(ANN, list_digest="1" * 64, heard=clock.monotonic()), BOB)
    assert every(lists) == {"bob": 1}
    assert asked.asked.count(ANN.address) == 1, "it is left alone for a while, whatever it announces"
    clock.advance(FAILED_FOR)
    asked.stuck = ""
    assert every(lists) == {"ann": 1, "bob": 1}


def test_E60_who_failed_before_is_asked_after_the_others(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thorp.mesh.lists.AT_ONCE", 1)
    clock = FakeClock()
    asked.away = ANN.address
    lists, _ = made(asked, ANN, BOB, clock=clock)
    every(lists)
    asked.asked.clear()
    clock.advance(FAILED_FOR)
    asked.shown = ()
    heard = FakeHeard((ANN, replace(BOB, list_digest=list_digest(()))))
    lists._heard = heard  # pyright: ignore[reportPrivateUsage]
    every(lists)

    assert asked.asked == [BOB.address, ANN.address]


def test_E60_whoever_gives_up_waiting_leaves_word_that_somebody_is_stuck(asked: Asked) -> None:
    asked.stuck = ANN.address
    lists = Lists(asked, FakeHeard((ANN, BOB)), FakeClock(), CallThreads())

    async def run() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await lists.every()
        return len(await lists.every())

    assert asyncio.run(run()) == 1
    assert asked.asked.count(ANN.address) == 1


def test_E62_a_list_that_is_not_the_announced_one_is_not_asked_for_again_at_once(asked: Asked) -> None:
    clock = FakeClock()
    lists, heard = made(asked, replace(ANN, list_digest="0" * 64), clock=clock)
    for _ in range(3):
        assert every(lists) == {"ann": 1}
        clock.advance(1.0)
        heard.neighbours = (replace(heard.neighbours[0], heard=clock.monotonic()),)

    assert len(asked.asked) == 1
    heard.neighbours = (replace(ANN, list_digest="", heard=clock.monotonic()),)
    assert [every(lists), every(lists)] == [{"ann": 1}] * 2
    assert len(asked.asked) == 2


def test_who_left_or_has_no_listener_is_not_asked(asked: Asked) -> None:
    lists, heard = made(asked, ANN, replace(BOB, mesh_port=0))

    assert every(lists) == {"ann": 1}
    heard.neighbours = ()
    assert every(lists) == {}
    assert lists._fetched == {}


def test_lists_are_bounded_in_all(asked: Asked) -> None:
    asked.shown = (MODEL,) * 5000
    many = [replace(ANN, node=NodeId(f"n{one}"), address=f"10.0.1.{one}") for one in range(MOST_MODELS // 5000 + 1)]
    lists, _ = made(asked, *many)

    assert sum(every(lists).values()) == MOST_MODELS


def test_E62_lists_are_bounded_in_bytes_too(asked: Asked) -> None:
    asked.shown = (MODEL.model_copy(update={"publication": {"text": "x" * (MOST_BYTES // 4)}}),)
    many = [replace(ANN, node=NodeId(f"n{one}"), address=f"10.0.1.{one}") for one in range(5)]
    lists, _ = made(asked, *many)

    assert sum(every(lists).values()) == 3
