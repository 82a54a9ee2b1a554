"""HTTP/1.1 as every listener of Thorp speaks it: uvicorn's httptools protocol and the hygiene it leaves out.

What is refused, and why, stands in `hygiene`; here it is noticed in time, and said without breaking another answer.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from thorp.base.errors import ThorpError
from thorp.base.tasks import TaskScope
from thorp.net.answers import last_words, send_refusal
from thorp.net.door import Farewell, Visit
from thorp.net.facts import LISTENER, PEER, ListenerFacts
from thorp.net.hygiene import (
    Head,
    HeadTooLargeError,
    HttpLimits,
    MalformedRequestError,
    PipelineFullError,
    StoppingError,
    TargetTooLongError,
    TooSlowError,
    check_head,
)

NO_LINGERING: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Speaking:
    """What the protocols of one listener share."""

    config: Config
    state: ServerState
    limits: HttpLimits
    tasks: TaskScope
    facts: ListenerFacts


class Flow(FlowControl):
    """Remembers when we did not read: what the peer could not send meanwhile is not late."""

    was_paused = False  # at any moment since the watch began

    def watch(self) -> None:
        self.was_paused = self.read_paused

    def pause_reading(self) -> None:
        super().pause_reading()
        self.was_paused = True


class HouseProtocol(HttpToolsProtocol):
    def __init__(self, speaking: Speaking, visit: Visit) -> None:
        super().__init__(speaking.config, speaking.state, {})
        self._speaking = speaking
        self._limits = speaking.limits
        self._visit = visit
        self._running: RequestResponseCycle | None = None  # who may answer now; later ones wait in `pipeline`
        self._task: asyncio.Task[None] | None = None  # its handler
        self._phase: asyncio.TimerHandle | None = None  # until when the peer has to do the next thing
        self._stall: asyncio.TimerHandle | None = None  # until when it has to take what we wrote
        self._in_head = False
        self._in_body = False
        self._body_bytes = 0
        self._quiet_bytes = 0  # fed since the parser last finished a head or brought a piece of a body
        self._heard = False  # whether it did so in the piece being fed
        self._deaf = False  # whatever still comes is not read
        self._last_words: bytes | None = None  # a refusal that waits until earlier answers are out
        self.timeout_keep_alive = speaking.limits.keep_alive_seconds  # pyright: ignore[reportIncompatibleVariableOverride, reportAttributeAccessIssue]  (call_later takes any number)

    # The transport speaks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)
        super().connection_made(wire)
        self.flow = Flow(wire)
        self._visit.wire = wire
        self.app_state = {LISTENER: self._speaking.facts, PEER: self._visit.facts}
        self._arm(self._limits.head_seconds, self._head_is_late)

    def data_received(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._deaf:
            room = self._limits.head_bytes + 1 - self._quiet_bytes
            self._feed(rest[:room])
            rest = rest[room:]

    @property
    def _reader(self) -> httptools.HttpRequestParser:
        return cast("httptools.HttpRequestParser", self.parser)  # uvicorn drops it when the connection is lost

    @property
    def _flow(self) -> Flow:
        return cast("Flow", self.flow)  # the one made above, which uvicorn calls by its own class

    def _feed(self, piece: memoryview) -> None:
        self._heard = False
        try:
            self._reader.feed_data(piece)
        except httptools.HttpParserError as error:
            self._refuse(_reason(error))
            return
        self._quiet_bytes = 0 if self._heard else self._quiet_bytes + len(piece)
        if self._quiet_bytes > self._limits.head_bytes:
            self._refuse(_too_long(self._limits))

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)
        self._visit.end()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stall = _cancelled(self._stall)

    def _watch_writing(self) -> None:
        before = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._limits.write_seconds, self._check_writing, before)

    def _check_writing(self, before: int) -> None:
        if self.transport.get_write_buffer_size() >= before:
            self.transport.abort()
        else:
            self._watch_writing()

    # The parser speaks. What is raised here comes out of `feed_data`.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._unset_keepalive_if_required()
        self._arm(self._limits.head_seconds, self._head_is_late)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.target_bytes:
            raise TargetTooLongError(f"The address is longer than {self._limits.target_bytes} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            raise MalformedRequestError("Headers after the body are not taken.")
        super().on_header(name, value)
        if len(self.headers) > self._limits.headers:
            raise HeadTooLargeError(f"There are more than {self._limits.headers} headers.")

    def on_headers_complete(self) -> None:
        read = self._reader
        method = read.get_method().decode("ascii")
        check_head(Head(method, self.url, read.get_http_version(), self.headers, upgrade=read.should_upgrade()))
        if len(self.pipeline) >= self._limits.pipelined:
            raise PipelineFullError("Too many requests were sent ahead of their answers.", retry_after=1)
        super().on_headers_complete()
        if self.expect_100_continue:
            self.cycle.keep_alive = (
                False  # who asks first may leave the body out, and what follows would be taken for it
            )
        self._heard = True
        self._in_head, self._in_body, self._body_bytes = False, True, 0
        self._await_body()

    def on_body(self, body: bytes) -> None:
        self._heard = True
        self._body_bytes += len(body)
        super().on_body(body)
        if self.cycle.response_complete and self._body_bytes > self._limits.linger_bytes:
            raise MalformedRequestError("The rest of this body is of no use: its request was answered.")

    def on_message_complete(self) -> None:
        self._heard = True
        self._in_body = False
        self._phase = _cancelled(self._phase)
        super().on_message_complete()

    # Time runs out.

    def _arm(self, seconds: float, then: Callable[..., None], *arguments: object) -> None:
        _cancelled(self._phase)
        self._phase = self.loop.call_later(seconds, then, *arguments)
        self._flow.watch()

    def _head_is_late(self) -> None:
        if self._flow.was_paused:  # by us, while an earlier request is answered
            self._arm(self._limits.head_seconds, self._head_is_late)
        else:
            self._refuse(TooSlowError(f"The headers did not arrive within {self._limits.head_seconds:g} s."))

    def _await_body(self) -> None:
        self._arm(self._limits.body_seconds, self._check_body, self._body_bytes)

    def _check_body(self, before: int) -> None:
        if self._flow.was_paused or self._body_bytes - before >= self._limits.body_least:
            self._await_body()
        else:
            self._refuse(TooSlowError(f"The body stood still for {self._limits.body_seconds:g} s."))

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_close()

    def _await_close(self) -> None:
        """Closing waits until the peer took what was written; a peer that takes nothing is cut off."""
        if self._stall is None:
            self._watch_writing()

    # Requests are answered, one after the other.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        serve: Any = partial(self._serve, cycle, app)
        self._task = self._speaking.tasks.start("request", cycle.run_asgi(serve))

    async def _serve(
        self, cycle: RequestResponseCycle, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        stopped = False
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            stopped = True
        if cycle.response_complete or cycle.disconnected:
            return
        if cycle.response_started or self.flow.write_paused:
            self._break_off(cycle)
        elif stopped:
            await send_refusal(send, StoppingError("This listener is closing; try again in a moment.", retry_after=1))

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        """The answer has no end. Closing without one tells the peer that a part is not the whole."""
        cycle.disconnected = True
        if self._speaking.facts.kind == "mesh":  # a member that was removed gets nothing more, not what waits either
            drop(self.transport)
            return
        self.transport.close()
        self._await_close()

    def on_response_complete(self) -> None:
        finished, self._running = self._running, None
        super().on_response_complete()  # starts the next one, or the wait for it
        if self.transport.is_closing():
            self._await_close()
        elif self._running is None and self._last_words is not None:
            self._farewell(self._last_words)
        elif self._in_body and finished is self.cycle:
            self._arm(self._limits.linger_seconds, self._farewell, b"")

    def shutdown(self) -> None:
        if self._running is None:
            self.timeout_keep_alive_handler()
        else:
            self._running.keep_alive = False

    # The end.

    def _refuse(self, error: ThorpError) -> None:
        """Say why, after the answers that come first. A request whose body is at fault gets no other answer."""
        self._deaf = True
        self._phase = _cancelled(self._phase)
        if self._running is None:
            self._farewell(b"" if self._in_body else last_words(error))
        elif self._running is not self.cycle or not self._in_body:
            self._last_words = last_words(error)
            if self._in_body:
                self.pipeline.popleft()
        elif self._running.response_started:
            self.transport.abort()
        else:
            self._farewell(last_words(error))

    def _farewell(self, words: bytes) -> None:
        self._let_go()
        self.connections.discard(self)  # pyright: ignore[reportArgumentType]  (uvicorn names its own classes only)
        Farewell(self._limits, self._visit).take_over(self.transport, words)

    def _let_go(self) -> None:
        """The peer is gone, or as good as gone: whatever waits for it hears of it."""
        self._deaf = True
        self._phase, self._stall = _cancelled(self._phase), _cancelled(self._stall)
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self._running is None or self._task is None:
            return
        self._running.disconnected = True
        self._running.message_event.set()
        self._running = None
        patience = self.loop.call_later(self._limits.gone_seconds, self._task.cancel)
        self._task.add_done_callback(lambda _: patience.cancel())


def drop(wire: asyncio.Transport) -> None:
    """Reset a connection: what was written and has not left this machine yet never does."""
    with suppress(OSError):
        wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
    wire.abort()


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()


def _too_long(limits: HttpLimits) -> HeadTooLargeError:
    return HeadTooLargeError(
        f"The headers are longer than {limits.head_bytes} bytes. "
        "A browser that sends them has too many cookies for this address; remove those."
    )


def _reason(error: httptools.HttpParserError) -> ThorpError:
    """What to tell: the refusal one of our callbacks raised, or what the parser itself found."""
    cause = error.__context__
    if isinstance(cause, ThorpError):
        return cause
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        raise cause  # a fault of ours
    return MalformedRequestError(f"This is not proper HTTP/1.1: {cause or error}.")
