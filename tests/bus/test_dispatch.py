"""The bus runs calls: floors, limits, deadlines, cancellation, and exactly one end."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from thorp.base.errors import ConflictError, ThorpError
from thorp.bus.dispatch import Bus, Order
from thorp.bus.errors import (
    CallTimeoutError,
    HandlerFailedError,
    NobodyCallsError,
    NoSuchCapabilityError,
    QuarantinedError,
    SchemaMismatchError,
    StoppedError,
    TooManyCallsError,
)
from thorp.bus.health import FAULTS_TO_REST, FIRST_REST
from thorp.identity.principals import NOBODY, owner
from thorp.testing.clock import FakeClock
from thorp.wire.capability import Call, Capability, Done, Limits, Offer, Streamed, Unary
from thorp.wire.changes import CapabilityChanged, Change
from thorp.wire.model import Message


class Ask(Message):
    text: str = ""
    many: tuple[int, ...] = ()


class Reply(Message):
    text: str


class Piece(Message):
    number: int


def capability(*, streamed: bool = False, **limits: Any) -> Capability:
    frames = Piece if streamed else None
    return Capability("test.thing", "1.0", "A thing.", Ask, Reply, frames=frames, limits=Limits(**limits))


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.changes: list[Change] = []
        self.bus = Bus(self.clock, self.changes.append)

    async def offer(self, unary: Unary | None = None, streamed: Streamed | None = None, **limits: Any) -> None:
        declared = capability(streamed=streamed is not None, **limits)
        assert await self.bus.register(Offer(declared, unary=unary, streamed=streamed))

    def order(self, **fields: Any) -> Order:
        return Order("test.thing", owner(), **fields)

    async def items(self, **fields: Any) -> list[Message | Done]:
        async with aclosing(self.bus.stream(self.order(**fields))) as stream:
            return [item async for item in stream]


def told(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(story)


async def says_back(call: Call[Ask]) -> Reply:
    return Reply(text=call.input.text)


async def never(_call: Call[Ask]) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def breaks(_call: Call[Ask]) -> Reply:
    raise ZeroDivisionError("a secret detail")


async def counts(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
    for number in range(3):
        yield Piece(number=number)
    yield Done(Reply(text="counted"))


async def forgets_the_end(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
    yield Piece(number=1)


async def talks_after_the_end(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
    yield Done(Reply(text="first"))
    yield Done(Reply(text="second"))


def test_a_unary_call_is_answered() -> None:
    async def story() -> Message:
        world = World()
        await world.offer(says_back)
        return await world.bus.call(world.order(input={"text": "hello", "many": [1, 2]}))

    assert told(story()) == Reply(text="hello")


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"text": 1}, "input.text"),
        ({"txet": "x"}, "input.txet"),
        ({"many": [1, "2"]}, "input.many.1"),
        ({"text": float("nan")}, "input.text"),
        ({"text": object()}, "input"),
    ],
)
def test_wrong_input_is_refused_by_the_declaration_and_named(given: dict[str, object], place: str) -> None:
    async def story() -> None:
        world = World()
        await world.offer(says_back)
        await world.bus.call(world.order(input=given))

    with pytest.raises(SchemaMismatchError, match=place):
        told(story())


def test_a_stream_gives_its_frames_and_one_done() -> None:
    async def story() -> list[Message | Done]:
        world = World()
        await world.offer(streamed=counts)
        return await world.items()

    assert told(story()) == [*(Piece(number=number) for number in range(3)), Done(Reply(text="counted"))]


def test_a_streamed_capability_called_unary_answers_with_its_done() -> None:
    async def story() -> Message:
        world = World()
        await world.offer(streamed=counts)
        return await world.bus.call(world.order())

    assert told(story()) == Reply(text="counted")


def test_a_unary_capability_is_a_stream_of_its_done() -> None:
    async def story() -> list[Message | Done]:
        world = World()
        await world.offer(says_back)
        return await world.items(input={"text": "x"})

    assert told(story()) == [Done(Reply(text="x"))]


def test_a_stream_that_forgets_its_end_is_an_error() -> None:
    async def story() -> list[Message | Done]:
        world = World()
        await world.offer(streamed=forgets_the_end)
        return await world.items()

    with pytest.raises(HandlerFailedError):
        told(story())


def test_nothing_comes_after_the_first_done() -> None:
    async def story() -> list[Message | Done]:
        world = World()
        await world.offer(streamed=talks_after_the_end)
        return await world.items()

    assert told(story()) == [Done(Reply(text="first"))]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_deadline_ends_the_handler(*, streamed: bool) -> None:
    ended: list[str] = []

    async def hangs(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
        try:
            yield Piece(number=1)
            await asyncio.Event().wait()
        finally:
            ended.append("handler")

    async def story() -> None:
        world = World()
        await (world.offer(streamed=hangs) if streamed else world.offer(never))
        await (world.items(seconds=0.01) if streamed else world.bus.call(world.order(seconds=0.01)))

    with pytest.raises(CallTimeoutError):
        told(story())
    assert ended == (["handler"] if streamed else [])


def test_a_caller_cannot_stretch_the_declared_limit() -> None:
    async def story() -> None:
        world = World()
        await world.offer(never, seconds=0.01)
        await world.bus.call(world.order(seconds=3600.0))

    with pytest.raises(CallTimeoutError):
        told(story())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_caller_ends_the_handler(*, streamed: bool) -> None:
    async def story() -> list[str]:
        world, seen, began = World(), list[str](), asyncio.Event()

        async def waits(_call: Call[Ask]) -> Reply:
            try:
                began.set()
                await asyncio.Event().wait()
            finally:
                seen.append("ended")
            raise AssertionError("unreachable")

        async def streams(call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
            yield Piece(number=0)
            yield Done(await waits(call))

        await (world.offer(streamed=streams) if streamed else world.offer(waits))
        work = world.items() if streamed else world.bus.call(world.order())
        task = asyncio.create_task(work)
        await began.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        return seen

    assert told(story()) == ["ended"]


def test_a_reader_that_leaves_ends_the_handler() -> None:
    async def story() -> list[str]:
        world, seen = World(), list[str]()

        async def streams(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
            try:
                while True:
                    yield Piece(number=0)
            finally:
                seen.append("ended")

        await world.offer(streamed=streams)
        async with aclosing(world.bus.stream(world.order())) as stream:
            await anext(stream)
        assert world.bus.entries[0].running == 0
        return seen

    assert told(story()) == ["ended"]


def test_only_as_many_run_as_declared() -> None:
    async def story() -> None:
        world = World()
        await world.offer(never, concurrent=1)
        first = asyncio.create_task(world.bus.call(world.order()))
        await asyncio.sleep(0)
        try:
            await world.bus.call(world.order())
        finally:
            first.cancel()
            await asyncio.wait({first})

    with pytest.raises(TooManyCallsError) as caught:
        told(story())
    assert caught.value.retry_after


def test_a_broken_handler_tells_nothing_of_its_insides() -> None:
    async def story() -> None:
        world = World()
        await world.offer(breaks)
        await world.bus.call(world.order())

    with pytest.raises(HandlerFailedError) as caught:
        told(story())
    assert "secret" not in caught.value.message


def test_a_handlers_own_error_passes_unchanged() -> None:
    async def refuses(_call: Call[Ask]) -> Reply:
        raise ConflictError("it stands there already")

    async def story() -> None:
        world = World()
        await world.offer(refuses)
        await world.bus.call(world.order())

    with pytest.raises(ConflictError, match="stands there"):
        told(story())


def test_an_offer_that_keeps_failing_rests_and_comes_back() -> None:
    broken = True

    async def sometimes(call: Call[Ask]) -> Reply:
        return await (breaks(call) if broken else says_back(call))

    async def attempt(world: World) -> type[ThorpError] | None:
        try:
            await world.bus.call(world.order())
        except ThorpError as error:
            return type(error)
        return None

    async def story() -> None:
        nonlocal broken
        world = World()
        await world.offer(sometimes)
        for _ in range(FAULTS_TO_REST):
            assert await attempt(world) is HandlerFailedError
        assert await attempt(world) is QuarantinedError
        broken = False
        world.clock.advance(FIRST_REST)
        assert await attempt(world) is None
        assert await attempt(world) is None

    told(story())


@pytest.mark.parametrize(("hurry", "declared", "last"), [(0.001, 30.0, None), (30.0, 0.001, QuarantinedError)])
def test_only_a_deadline_of_its_own_sends_an_offer_to_rest(hurry: float, declared: float, last: object) -> None:
    """A caller in a hurry must not take a capability away from everybody else."""

    async def slow(call: Call[Ask]) -> Reply:
        if call.input.text == "slow":
            await asyncio.Event().wait()
        return await says_back(call)

    async def story() -> object:
        world = World()
        await world.offer(slow, seconds=declared)
        for _ in range(FAULTS_TO_REST):
            with pytest.raises(CallTimeoutError):
                await world.bus.call(world.order(input={"text": "slow"}, seconds=hurry))
        try:
            await world.bus.call(world.order(input={"text": "quick"}))
        except ThorpError as error:
            return type(error)
        return None

    assert told(story()) is last


def test_an_offer_whose_self_test_fails_is_not_listed_and_says_why() -> None:
    async def fails() -> None:
        raise OSError("no such device")

    async def story() -> World:
        world = World()
        assert not await world.bus.register(Offer(capability(), unary=says_back, self_test=fails))
        with pytest.raises(NoSuchCapabilityError, match="no such device"):
            await world.bus.call(world.order())
        return world

    world = told(story())
    entry = world.bus.entries[0]
    assert (entry.listed, entry.reason) == (False, "its self-test failed: no such device")
    assert world.changes == [CapabilityChanged(id="test.thing@1.0", listed=False, reason=entry.reason)]


def test_a_self_test_that_fails_does_not_tell_in_which_folder() -> None:
    async def fails() -> None:
        raise FileNotFoundError(2, "No such file", "/srv/ann/model.gguf")

    async def story() -> World:
        world = World()
        await world.bus.register(Offer(capability(), unary=says_back, self_test=fails))
        return world

    world = told(story())
    reason = "its self-test failed: [Errno 2] No such file: 'model.gguf'"
    assert world.bus.entries[0].reason == reason
    assert world.changes == [CapabilityChanged(id="test.thing@1.0", listed=False, reason=reason)]


def test_the_floor_stands_before_the_input_is_looked_at() -> None:
    async def story() -> None:
        world = World()
        await world.offer(says_back)
        await world.bus.call(Order("test.thing", NOBODY, {"nonsense": 1}))

    with pytest.raises(NobodyCallsError):
        told(story())


@pytest.mark.parametrize("streamed", [False, True])
def test_draining_ends_what_runs_with_the_reason(*, streamed: bool) -> None:
    async def hangs(_call: Call[Ask]) -> AsyncGenerator[Piece | Done, None]:
        yield Piece(number=1)
        await asyncio.Event().wait()

    async def story() -> None:
        world = World()
        await (world.offer(streamed=hangs) if streamed else world.offer(never))
        task = asyncio.create_task(world.items() if streamed else world.bus.call(world.order()))
        await asyncio.sleep(0.01)
        assert await world.bus.drain(0.0, "the node stops") == 1
        await task

    with pytest.raises(StoppedError, match="the node stops"):
        told(story())


def test_draining_lets_running_calls_finish() -> None:
    async def story() -> tuple[int, Message]:
        world, go = World(), asyncio.Event()

        async def waits(call: Call[Ask]) -> Reply:
            await go.wait()
            return await says_back(call)

        await world.offer(waits)
        task = asyncio.create_task(world.bus.call(world.order(input={"text": "done"})))
        await asyncio.sleep(0)
        draining = asyncio.create_task(world.bus.drain(60.0, "the node stops"))
        await asyncio.sleep(0)
        go.set()
        return await draining, await task

    assert told(story()) == (0, Reply(text="done"))


def test_a_draining_bus_begins_nothing_more() -> None:
    async def story() -> None:
        world = World()
        await world.offer(says_back)
        await world.bus.drain(0.0, "the node stops")
        await world.bus.call(world.order())

    with pytest.raises(StoppedError, match="not begun"):
        told(story())
