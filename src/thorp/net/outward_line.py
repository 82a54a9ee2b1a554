"""One connection out: to an address that was checked, with the name of the URL; every wait ends on time or when told.

The certificate is always verified. There are no proxies: the checked address is the one that is connected to.
"""

import errno
import http.client
import io
import os
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from thorp.base.clock import Clock
from thorp.net.egress import Origin
from thorp.net.outward_errors import (
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
    OutwardUnreachableError,
    OutwardUntrustedError,
    Reason,
)

SLICE: Final = 0.2  # seconds between two looks at `stop`
LARGEST_HEAD: Final = 64 * 1024
HEADS_IN_IDLE_TIMES: Final = 2  # an answer's head may take this many idle times, however it trickles
_NO_NETWORK: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_UNTRUSTED: Final = {  # OpenSSL's numbers for what is wrong
    9: "its certificate is not valid yet; is this machine's clock right?",
    10: "its certificate has expired",
    18: "its certificate is self-signed, so nobody vouches for it",
    19: "its certificate comes from an authority that this machine does not know",
    20: "its certificate comes from an authority that this machine does not know",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


class Stop(Protocol):
    """How a request learns that it shall end; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


def stopped(stop: Stop | None) -> None:
    """Raise when somebody said stop."""
    if stop is not None and stop.is_set():
        raise OutwardStoppedError("The request was ended on this node.")


class Line(io.RawIOBase):
    """A connected socket as `http.client` wants it, whose reads look at `stop` and give up on silence."""

    def __init__(self, raw: socket.socket, origin: Origin, idle_timeout: float, clock: Clock) -> None:
        super().__init__()
        self._socket = raw
        self.origin = origin
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._stop: Stop | None = None
        self._head_left = 0
        self._head_ends: float | None = None
        self._impatient = False
        self.answered = False  # whether a byte came since the last request
        self.buffered = io.BufferedReader(self, 16 * 1024)

    def begin(self, stop: Stop | None) -> None:
        """A request goes out now."""
        self._stop = stop
        self.answered = False
        self._head_left = LARGEST_HEAD
        self._socket.settimeout(SLICE)
        self._head_ends = self._clock.monotonic() + HEADS_IN_IDLE_TIMES * self._idle_timeout

    def end_of_head(self) -> None:
        self._head_ends = None

    def sendall(self, data: bytes) -> None:
        stopped(self._stop)
        self._socket.settimeout(self._idle_timeout)
        self._socket.sendall(data)
        self._socket.settimeout(SLICE)

    def makefile(self, *_: object) -> "_Borrowed":
        """What `http.client` reads from; it may close that, and the line stays."""
        return _Borrowed(self.buffered.readline)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._impatient:
            return None
        if self._head_ends is not None and self._head_left <= 0:
            raise OutwardBadAnswerError(f"`{self.origin.host}` sent more than {LARGEST_HEAD} bytes of headers.")
        count = self._receive(buffer)
        self.answered = self.answered or count > 0
        self._head_left -= count
        return count

    def take(self, buffer: memoryview) -> int:
        """What is buffered already, else what one wait brings; 0 at the end.

        `readinto1` alone would wait for more after it has copied what was buffered.
        """
        self._impatient = True
        try:
            count = self.buffered.readinto1(buffer)
        finally:
            self._impatient = False
        return count or self._receive(buffer)

    def _receive(self, buffer: Any) -> int:
        gives_up = self._clock.monotonic() + self._idle_timeout
        if self._head_ends is not None:
            gives_up = min(gives_up, self._head_ends)
        while self._clock.monotonic() < gives_up:
            stopped(self._stop)
            try:
                return self._socket.recv_into(buffer)
            except TimeoutError:
                continue
            except OSError:  # TLS errors too
                raise broken(self.origin) from None
        raise OutwardStalledError(f"`{self.origin.host}` sent nothing that helps for {self._idle_timeout:g} s.")

    def ready(self) -> bool:
        """Whether some more came already. For TLS a part of a record counts."""
        pending = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return pending > 0 or not self.quiet()

    def leftover(self) -> bool:
        """Whether bytes came that nobody asked for; never waits."""
        self._impatient = True
        try:
            return bool(self.buffered.peek(1))
        finally:
            self._impatient = False

    def quiet(self) -> bool:
        """Whether the socket neither ended nor has anything to say; what an idle connection has to be."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not waiting.poll(0)

    def close(self) -> None:
        super().close()
        self._socket.close()


class _Borrowed(io.BufferedIOBase):
    """A line's reader, lent for the head of one answer."""

    def __init__(self, readline: Callable[[int | None], bytes]) -> None:
        super().__init__()
        self._readline = readline

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._readline(size)


class PinnedConnection(http.client.HTTPConnection):
    """Speaks as the URL's host, connects to the address that was checked."""

    def __init__(self, origin: Origin, address: str, line: Line) -> None:
        super().__init__(origin.host, origin.port)
        self.auto_open = 0  # never a second connection behind our back
        self.origin = origin
        self.address = address
        self.line = line
        self.sock = line
        self.idle_since = 0.0

    def close(self) -> None:
        """What `http.client` says of an answer that is the last one; its body is still to come."""
        self.sock = None

    def hang_up(self) -> None:
        super().close()
        self.line.close()


@dataclass(frozen=True, slots=True)
class Dialer:
    """How one connection is made."""

    origin: Origin
    timeout: float
    stop: Stop | None
    clock: Clock

    def dial(self, address: str) -> socket.socket:
        """A TCP connection. Raises OSError or OutwardStoppedError."""
        raw = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._connect(raw, address)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(SLICE)
        except BaseException:
            raw.close()
            raise
        return raw

    def _connect(self, raw: socket.socket, address: str) -> None:
        raw.setblocking(False)
        code = raw.connect_ex((address, self.origin.port))
        if code == errno.EINPROGRESS:
            self._wait_until_writable(raw)
            code = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _wait_until_writable(self, raw: socket.socket) -> None:
        until = self.clock.monotonic() + self.timeout
        waiting = select.poll()
        waiting.register(raw, select.POLLOUT)
        while not waiting.poll(SLICE * 1000):
            stopped(self.stop)
            if self.clock.monotonic() >= until:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def secure(self, raw: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """TLS for the URL's name. Takes the socket over, and closes it when this fails."""
        try:
            wrapped = context.wrap_socket(raw, server_hostname=self.origin.host, do_handshake_on_connect=False)
        except BaseException:
            raw.close()
            raise
        try:
            self._shake_hands(wrapped)
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _shake_hands(self, wrapped: ssl.SSLSocket) -> None:
        until = self.clock.monotonic() + self.timeout
        while True:
            stopped(self.stop)
            try:
                wrapped.do_handshake()
            except TimeoutError:
                if self.clock.monotonic() >= until:
                    raise
            else:
                return


def untrusted(origin: Origin, error: ssl.SSLError) -> OutwardUntrustedError:
    """The sentence for what is wrong with the other side's TLS."""
    why = "it does not speak TLS as it should"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _UNTRUSTED.get(error.verify_code, f"its certificate is refused ({error.verify_message})")
    return OutwardUntrustedError(
        f"`{origin.netloc}` cannot be trusted: {why}. Nothing was sent, and plain http is not tried instead."
    )


def unreachable(origin: Origin, error: OSError) -> OutwardUnreachableError:
    """The sentence for a connection that did not come about."""
    if error.errno in _NO_NETWORK:
        message = f"There is no network that leads to `{origin.netloc}`."
        return OutwardUnreachableError(message, reason=Reason.NO_NETWORK)
    why = "took too long to answer" if isinstance(error, TimeoutError) else f"does not answer ({error.strerror})"
    return OutwardUnreachableError(f"`{origin.netloc}` {why}. Is the address right?", reason=Reason.NO_ANSWER)


def broken(origin: Origin) -> OutwardUnreachableError:
    return OutwardUnreachableError(f"The connection to `{origin.netloc}` broke.", reason=Reason.BROKEN)
