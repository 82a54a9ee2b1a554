"""One connection: reads requests, sends answers as slowly, as briefly or as wrongly as they say.

It never blocks in a read or a write, only in `poll`, so that a count of sent bytes is exact at any moment and whoever
shuts the socket down wakes it.
"""

import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from thorp.testing.hub.answers import Answer, Framing, closes, head_of
from thorp.testing.hub.content import Part, blocks, split
from thorp.testing.hub.request import Host, Request, parse_head

Counting = Callable[[Callable[[], int]], int]
"""Does one send and counts what it says."""

_MOST_HEAD: Final = 65_536  # bytes
_MOST_BODY: Final = 4 * 1024 * 1024
_MOST_AT_ONCE: Final = 8 * 1024 * 1024  # bytes in one call of sendfile
_CHUNK: Final = 256 * 1024  # bytes of one chunk of a chunked answer
_TICKS: Final = 50  # how often in a second a slow answer goes on


class EndedError(Exception):
    """The connection is over: the other side is gone, or the answer ends it."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Line:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""

    def open(self) -> None:
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, host: Host) -> Request:
        """The next request; fails with a ValueError when it is none."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEAD:
                raise ValueError("no end of the head")
            self._read_more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        request = parse_head(host, head)
        length = int(request.headers.get("content-length", "0"))
        if not 0 <= length <= _MOST_BODY:
            raise ValueError(f"a body of {length} bytes")
        while len(self._buffer) < length:
            self._read_more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Request(host, request.method, request.target, request.headers, body)

    def answer(self, answer: Answer, counting: Counting, *, with_body: bool = True) -> None:
        """Send an answer; fails with `EndedError` when the connection ends with it."""
        if not answer.status:
            raise EndedError(reset=answer.reset)
        self._send_bytes(head_of(answer))
        if with_body:
            self._send_body(answer, counting)
        if closes(answer):
            raise EndedError(reset=answer.reset)

    def close(self, *, reset: bool = False) -> None:
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _send_body(self, answer: Answer, counting: Counting) -> None:
        chunked = answer.framing is Framing.CHUNKED
        before, after = (answer.body, ()) if answer.hold is None else split(answer.body, answer.hold.at)
        for part in _paced(before, answer.rate, chunked):
            self._send_part(part, counting, answer.rate, chunked)
        if answer.hold is not None:
            self._hold(answer)
        for part in _paced(after, answer.rate, chunked):
            self._send_part(part, counting, answer.rate, chunked)
        if chunked:
            self._send_bytes(b"0\r\n\r\n")

    def _hold(self, answer: Answer) -> None:
        hold = answer.hold
        if hold is None or not hold.stalls:
            raise EndedError(reset=answer.reset)
        self._pause(hold.seconds or None)

    def _send_part(self, part: Part, counting: Counting, rate: int, chunked: bool) -> None:
        if chunked:
            self._send_bytes(f"{len(part):x}\r\n".encode())
        if isinstance(part.source, bytes):
            self._send_bytes(memoryview(part.source)[part.first : part.end], counting)
        else:
            self._send_file(part.source, part.first, part.end, counting)
        if chunked:
            self._send_bytes(b"\r\n")
        if rate:
            self._pause(len(part) / rate)

    def _send_bytes(self, data: bytes | memoryview, counting: Counting | None = None) -> None:
        left = memoryview(data)
        while left:
            send = partial(self._socket.send, left)
            left = left[self._pushed(counting, send) :]

    def _send_file(self, path: Path, first: int, end: int, counting: Counting) -> None:
        with path.open("rb") as file:
            while first < end:
                count = min(end - first, _MOST_AT_ONCE)
                sent = self._pushed(counting, partial(os.sendfile, self._socket.fileno(), file.fileno(), first, count))
                if not sent:
                    raise EndedError  # somebody made the file shorter
                first += sent

    def _pushed(self, counting: Counting | None, send: Callable[[], int]) -> int:
        while True:
            self._until(select.POLLOUT)
            try:
                return counting(send) if counting else send()
            except BlockingIOError:
                continue

    def _read_more(self) -> None:
        self._until(select.POLLIN)
        data = self._socket.recv(_MOST_HEAD)
        if not data:
            raise EndedError
        self._buffer += data

    def _pause(self, seconds: float | None) -> None:
        """Send nothing for so long, or for good; ends early when the other side does or has something new to say."""
        if self._until(select.POLLIN, seconds):
            raise EndedError

    def _until(self, event: int, seconds: float | None = None) -> bool:
        poll = select.poll()
        poll.register(self._socket, event)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


def _paced(body: tuple[Part, ...], rate: int, chunked: bool) -> Iterator[Part]:
    """The body in what is sent in one go."""
    if rate:
        return blocks(body, max(1, rate // _TICKS))
    return blocks(body, _CHUNK) if chunked else iter(body)
