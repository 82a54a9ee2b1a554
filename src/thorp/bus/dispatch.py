"""The bus: runs a call through its floor, its limits, its handler and its health.

Where a call is answered is not the caller's matter.

A unary call ends with one answer or one error; a streamed one with exactly one `Done` or one error.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson
from pydantic import ValidationError

from thorp.base.clock import Clock
from thorp.base.errors import DeadlineError, InternalError, ThorpError
from thorp.base.tasks import TaskScope
from thorp.bus.errors import (
    CallTimeoutError,
    HandlerFailedError,
    NoSuchCapabilityError,
    QuarantinedError,
    SchemaMismatchError,
    StoppedError,
    TooManyCallsError,
)
from thorp.bus.floors import refusal, unknown_to_nobody
from thorp.bus.pipe import Pipe
from thorp.bus.table import Entry, Table
from thorp.identity.principals import Principal, PrincipalKind
from thorp.wire.capability import Call, Capability, Done, Offer
from thorp.wire.changes import CapabilityChanged, Change
from thorp.wire.envelope import told
from thorp.wire.model import Message, misfits

log = logging.getLogger(__name__)
SELF_TEST_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants from the bus."""

    capability: str  # `name` or `name@version`
    principal: Principal
    input: Mapping[str, object] | Message = field(default_factory=dict[str, object])
    params: Mapping[str, object] | Message = field(default_factory=dict[str, object])
    request_id: str = ""
    seconds: float | None = None  # shorter than the declared limit, if the caller is in a hurry
    over_mesh: bool = False


@dataclass(eq=False, slots=True)
class _Running:
    task: asyncio.Task[object] | None
    seconds: float
    reason: str | None = None


class Bus:
    def __init__(self, clock: Clock, announce: Callable[[Change], None]) -> None:
        self._clock = clock
        self._announce = announce
        self._table = Table()
        self._running: set[_Running] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending: str | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._table)

    async def register(self, offer: Offer) -> bool:
        """List an offer if its self-test passes; keep it with the reason if not."""
        entry = self._table.add(offer)
        await self.test_again(entry)
        return entry.listed

    async def test_again(self, entry: Entry) -> None:
        try:
            async with asyncio.timeout(SELF_TEST_SECONDS):
                await entry.offer.self_test()
        except TimeoutError:
            entry.listed, entry.reason = False, f"its self-test took longer than {SELF_TEST_SECONDS:g} s"
        except Exception as error:  # border: a call into a plugin
            log.warning("self-test of %s failed", entry.capability.id, exc_info=error)
            entry.listed, entry.reason = False, f"its self-test failed: {told(error)}"
        else:
            entry.listed, entry.reason = True, ""
        self._announce(CapabilityChanged(id=entry.capability.id, listed=entry.listed, reason=entry.reason))

    def resolve(self, wanted: str) -> Capability:
        return self._table.resolve(wanted).capability

    def admit(self, order: Order) -> Capability:
        """The declaration behind an order, if this principal may use it."""
        return self._admitted(order).capability

    def _admitted(self, order: Order) -> Entry:
        try:
            entry = self._table.resolve(order.capability)
        except NoSuchCapabilityError:
            if order.principal.kind is PrincipalKind.NOBODY:
                raise unknown_to_nobody(order.capability) from None
            raise
        if refused := refusal(order.principal, entry.capability, over_mesh=order.over_mesh):
            raise refused
        return entry

    async def call(self, order: Order) -> Message:
        """One answer. Of a streamed capability: what its `done` carries."""
        entry = self._admitted(order)
        call = _call_of(order, entry.capability)
        if entry.offer.unary is None:
            return await _last(self._frames(entry, order, call))
        async with self._run(entry, order):
            return _checked(await entry.offer.unary(call), entry.capability.answer, entry.capability)

    def stream(self, order: Order) -> AsyncGenerator[Message | Done, None]:
        """Frames, then exactly one `Done`; or an error. A unary capability is a stream of its `Done` alone.

        Everything that can be refused for its form is refused here and now, before the first frame.
        """
        entry = self._admitted(order)
        return self._frames(entry, order, _call_of(order, entry.capability))

    async def _frames(self, entry: Entry, order: Order, call: Call[Message]) -> AsyncGenerator[Message | Done, None]:
        """The handler runs in a task of its own, so that its deadline and its end never strike the reader."""
        pipe = Pipe[Message | Done]()
        async with TaskScope(f"call {call.request_id}") as scope:
            scope.start(entry.capability.id, self._produce(entry, order, call, pipe))
            async for item in pipe.items():
                yield item

    async def _produce(self, entry: Entry, order: Order, call: Call[Message], pipe: Pipe[Message | Done]) -> None:
        try:
            async with self._run(entry, order):
                await _pour(entry, call, pipe)
        except ThorpError as error:
            pipe.end(error)
        except BaseException:
            pipe.end(StoppedError(f"{entry.capability.id} was cancelled."))
            raise
        else:
            pipe.end()

    @asynccontextmanager
    async def _run(self, entry: Entry, order: Order) -> AsyncGenerator[None]:
        """Limits, deadline, health and the way to end a call from outside, around one handler."""
        limits, capability_id = entry.capability.limits, entry.capability.id
        if self._ending is not None:
            raise StoppedError(f"{capability_id} is not begun: {self._ending}.", retry_after=5.0)
        if (rest := entry.health.rest_left(self._clock.monotonic())) > 0:
            raise QuarantinedError(f"{capability_id} failed too often and rests for {rest:.0f} s.", retry_after=rest)
        if entry.running >= limits.concurrent:
            raise TooManyCallsError(
                f"{capability_id} runs {limits.concurrent} times already; try again shortly.", retry_after=1.0
            )
        running = _Running(asyncio.current_task(), min(limits.seconds, order.seconds or limits.seconds))
        self._enter(entry, running)
        deadline = asyncio.timeout(running.seconds)
        try:
            async with deadline:
                yield
        except BaseException as error:
            seen = self._judged(entry, running, error, late=deadline.expired())
            if seen is error:
                raise
            raise seen from error
        else:
            entry.health.good()
        finally:
            self._leave(entry, running)

    def _enter(self, entry: Entry, running: _Running) -> None:
        entry.running += 1
        entry.calls += 1
        entry.health.begin()
        self._running.add(running)
        self._idle.clear()

    def _leave(self, entry: Entry, running: _Running) -> None:
        entry.running -= 1
        self._running.discard(running)
        if not self._running:
            self._idle.set()

    def _judged(self, entry: Entry, running: _Running, error: BaseException, *, late: bool) -> BaseException:
        """What the caller gets to see, and what it says about the handler's health."""
        capability_id = entry.capability.id
        match error:
            case asyncio.CancelledError() if running.reason is not None and running.task is not None:
                running.task.uncancel()
                entry.health.neither()
                return StoppedError(f"{capability_id} was ended: {running.reason}.", retry_after=5.0)
            case TimeoutError() if late:
                seen = CallTimeoutError(f"{capability_id} did not finish within {running.seconds:g} s.")
                if running.seconds < entry.capability.limits.seconds:  # the caller's hurry says nothing about us
                    entry.health.neither()
                    return seen
            case InternalError() | DeadlineError():
                seen = error
            case ThorpError():
                entry.health.good()
                return error
            case Exception():
                log.error("the handler of %s failed", capability_id, exc_info=error)
                seen = HandlerFailedError(f"{capability_id} failed on this node. Its log has the details.")
            case _:
                entry.health.neither()
                return error
        entry.faults += 1
        entry.health.bad(self._clock.monotonic())
        return seen

    async def drain(self, seconds: float, reason: str) -> int:
        """Begin nothing more, let running calls finish for a while, then end the rest. Answers how many it ended."""
        self._ending = reason
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            ended = tuple(self._running)
            for running in ended:
                running.reason = reason
                if running.task is not None:
                    running.task.cancel()
            return len(ended)
        return 0


async def _pour(entry: Entry, call: Call[Message], pipe: Pipe[Message | Done]) -> None:
    """Everything the handler makes, checked against the declaration, up to its one `Done`."""
    capability, offer = entry.capability, entry.offer
    if offer.unary is not None:
        await pipe.put(Done(_checked(await offer.unary(call), capability.answer, capability)))
        return
    assert offer.streamed is not None  # noqa: S101  (Offer guarantees exactly one handler)
    assert capability.frames is not None  # noqa: S101  (and frames with a streamed one)
    async with aclosing(offer.streamed(call)) as items:
        async for item in items:
            if isinstance(item, Done):
                await pipe.put(Done(_checked(item.answer, capability.answer, capability)))
                return
            await pipe.put(_checked(item, capability.frames, capability))
    raise HandlerFailedError(f"{capability.id} ended without saying that it is done.")


async def _last(frames: AsyncGenerator[Message | Done, None]) -> Message:
    async with aclosing(frames):
        async for item in frames:
            if isinstance(item, Done):
                return item.answer
    raise HandlerFailedError("A stream ended without its answer.")


def _call_of(order: Order, capability: Capability) -> Call[Message]:
    return Call(
        input=_fitting(order.input, capability.request, capability, "input"),
        principal=order.principal,
        request_id=order.request_id,
        params=_fitting(order.params, capability.params, capability, "params"),
    )


def _fitting(
    given: Mapping[str, object] | Message, wanted: type[Message], capability: Capability, what: str
) -> Message:
    """The typed request, or a refusal that names the first fields that are wrong."""
    if isinstance(given, wanted):
        return given
    try:
        return wanted.model_validate_json(orjson.dumps(given))
    except orjson.JSONEncodeError as error:
        raise SchemaMismatchError(f"{capability.id}: `{what}` is not JSON: {error}.") from None
    except ValidationError as error:
        problems = [{"at": f"{what}.{at}".rstrip("."), "problem": problem} for at, problem in misfits(error)[:8]]
        named = "; ".join(f"`{one['at']}` {one['problem']}" for one in problems[:3])
        raise SchemaMismatchError(f"{capability.id}: {named}.", problems=problems) from None


def _checked(item: Message, wanted: type[Message], capability: Capability) -> Message:
    if not isinstance(item, wanted):
        raise HandlerFailedError(f"{capability.id} answered with a {type(item).__name__}.")
    return item
