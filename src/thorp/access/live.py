"""Which calls run on which credential, so that the end of a credential ends its calls: at once, in mid-stream too."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Any, Final

from thorp.base.clock import Clock
from thorp.base.errors import BusyError, UnauthenticatedError

MOST_CALLS: Final = 4_096  # far above the connection cap of the listeners


class CutError(UnauthenticatedError):
    """A call whose credential ended while it ran."""

    code = "access.cut"


class TooManyRunningError(BusyError):
    """More calls at once than this node follows."""

    code = "access.too_many_running"


@dataclass(eq=False, slots=True)
class LiveCall:
    """One running call. Once `reason` is set, its task is cancelled and nothing more may be sent."""

    task: "asyncio.Task[Any] | None"
    reason: str | None = None

    def check(self) -> None:
        if self.reason is not None:
            raise CutError(self.reason)


# A call may end the very credential it runs on (a logout, a key revoking itself). It still gets its answer.
_this_call: ContextVar[LiveCall | None] = ContextVar("this_call", default=None)


class LiveCalls:
    def __init__(self, clock: Clock, room: int = MOST_CALLS) -> None:
        self._clock = clock
        self._room = room
        self._calls: dict[str, set[LiveCall]] = {}
        self._running = 0

    @property
    def running(self) -> int:
        return self._running

    @contextmanager
    def call(self, credential: str, expires: float | None = None) -> Generator[LiveCall]:
        """Run the body on this credential. If that ends meanwhile, the body is cancelled and CutError raised."""
        call = self._enter(credential)
        before = call.task.cancelling() if call.task else 0
        token = _this_call.set(call)
        timer = self._at(expires, credential)
        try:
            yield call
        except asyncio.CancelledError:
            # As asyncio.timeout does it: our own request is taken back; somebody else's stands.
            if call.reason is None or call.task is None or call.task.uncancel() > before:
                raise
            raise CutError(call.reason) from None
        finally:
            _this_call.reset(token)
            if timer:
                timer.cancel()
            self._leave(credential, call)

    def cut(self, credential: str, reason: str) -> int:
        """End every call on this credential but the one that asks. Answers how many."""
        ended = [call for call in self._calls.get(credential, ()) if call is not _this_call.get() and not call.reason]
        for call in ended:
            call.reason = reason
            if call.task:
                call.task.cancel()
        return len(ended)

    def _enter(self, credential: str) -> LiveCall:
        if self._running >= self._room:
            raise TooManyRunningError(f"{self._room} calls run already; try again shortly.", retry_after=1.0)
        call = LiveCall(asyncio.current_task())
        self._calls.setdefault(credential, set()).add(call)
        self._running += 1
        return call

    def _leave(self, credential: str, call: LiveCall) -> None:
        self._running -= 1
        calls = self._calls[credential]
        calls.discard(call)
        if not calls:
            del self._calls[credential]

    def _at(self, expires: float | None, credential: str) -> asyncio.TimerHandle | None:
        if expires is None:
            return None
        left, reason = max(0.0, expires - self._clock.wall()), "The credential of this call expired."
        # A context of its own: inside that of the call, `cut` would spare it.
        return asyncio.get_running_loop().call_later(left, self.cut, credential, reason, context=Context())
