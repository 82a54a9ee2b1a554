"""The one HTTP client for everything outside: blocking, for threads, straight into the caller's buffers.

Each hop's address is resolved once, checked by the guard and connected to. A token goes to its own origin only.
Proxies of the environment are not used: behind one, nobody here could say where a request ends.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, TypedDict, Unpack

from thorp.base.clock import Clock, SystemClock
from thorp.base.errors import ThorpError
from thorp.net.egress import Guard, Origin, Reach, Resolver, Target, check_hop, join_url, parse_url, reach_of
from thorp.net.outward_body import Body, body_of, read_head
from thorp.net.outward_errors import (
    EgressRefusedError,
    OutwardBadAnswerError,
    OutwardUnreachableError,
    Reason,
)
from thorp.net.outward_line import (
    Dialer,
    Line,
    PinnedConnection,
    Stop,
    broken,
    unreachable,
    untrusted,
)
from thorp.net.outward_pool import Pool

CONNECT_TIMEOUT: Final = 10.0
IDLE_TIMEOUT: Final = 30.0
MOST_REDIRECTS: Final = 5
FILL: Final = 1024 * 1024  # `readinto` goes on while bytes are there already, up to this many
_SMALL: Final = 64 * 1024  # a redirect's body up to this size is read, so that the connection lives on
_TRIED: Final = 4  # addresses of one name
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_OURS: Final = frozenset(
    {"accept-encoding", "authorization", "connection", "content-length", "cookie", "host", "transfer-encoding"}
)
_OFFLINE: Final = frozenset({socket.EAI_AGAIN})


@dataclass(frozen=True, slots=True)
class Token:
    """A secret and the one origin that may see it."""

    origin: Origin
    secret: str = field(repr=False)

    @classmethod
    def for_url(cls, url: str, secret: str) -> "Token":
        return cls(parse_url(url).origin, secret)


@dataclass(frozen=True, slots=True)
class Hop:
    """One answer on the way; the last one is the answer itself."""

    origin: Origin
    status: int
    headers: Mapping[str, str]
    reach: Reach = Reach.PUBLIC  # of the address that answered


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes
    stop: Stop | None


class Incoming:
    """An answer whose body is read as it comes."""

    def __init__(
        self, url: str, connection: PinnedConnection, head: tuple[int, Mapping[str, str], Body], hops: tuple[Hop, ...]
    ) -> None:
        self.url = url
        self.status, self.headers, self._body = head
        self.hops = hops  # every answer on the way, this one last
        self._connection = connection
        self._late: ThorpError | None = None

    def readinto(self, buffer: memoryview) -> int:
        """How many bytes came; 0 is the end of the body. What came before a failure is handed on first."""
        if self._late is not None:
            raise self._late
        got = self._body.readinto(buffer)
        wanted = min(len(buffer), FILL)
        try:
            while 0 < got < wanted and not self._body.done and self._connection.line.ready():
                more = self._body.readinto(buffer[got:])
                if not more:
                    break
                got += more
        except ThorpError as error:
            self._late = error
        return got

    def read(self, limit: int) -> bytes:
        """The whole body. Raises OutwardBadAnswerError when it is longer than `limit`."""
        pieces = bytearray()
        buffer = memoryview(bytearray(min(limit + 1, 256 * 1024)))
        while count := self.readinto(buffer):
            pieces += buffer[:count]
            if len(pieces) > limit:
                raise OutwardBadAnswerError(f"`{self.hops[-1].origin.host}` sent more than {limit} bytes.")
        return bytes(pieces)

    @property
    def finished(self) -> bool:
        """Whether the connection is ready for another request."""
        return self._body.done and self._late is None and not self._connection.line.leftover()


def system_resolver(host: str, port: int) -> tuple[str, ...]:
    """All addresses of a name, as the system orders them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        reason = Reason.NO_NETWORK if error.errno in _OFFLINE else Reason.NO_SUCH_NAME
        raise OutwardUnreachableError(
            f"`{host}` has no address ({error.strerror}). Is the name right, and is there a network?", reason=reason
        ) from None
    except UnicodeError:
        raise EgressRefusedError(f"`{host}` is no host name.") from None
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class Options(TypedDict, total=False):
    """What a request may say besides."""

    body: bytes
    token: Token | None
    follow: int  # redirects; 5 at most, and without it
    stop: Stop | None  # ends a wait within a fraction of a second
    came_from: Reach | None  # of a URL that an earlier redirect told: where that redirect came from


@dataclass(eq=False)
class Outward:
    """Opens URLs. One for the process; every thread may use it."""

    guard: Guard
    resolver: Resolver = system_resolver
    _: KW_ONLY
    connect_timeout: float = CONNECT_TIMEOUT
    idle_timeout: float = IDLE_TIMEOUT
    tls: ssl.SSLContext | None = None  # None: the system's authorities
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self._tls_lock = threading.Lock()
        self._pool = Pool(self.clock)

    @contextmanager
    def open(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, **options: Unpack[Options]
    ) -> Generator[Incoming]:
        """The answer to one request, after its redirects."""
        request = _Request(
            method, parse_url(url), _checked(headers or {}), options.get("body", b""), options.get("stop")
        )
        follow = min(options.get("follow", MOST_REDIRECTS), MOST_REDIRECTS)
        connection, incoming = self._follow(request, options.get("token"), follow, options.get("came_from"))
        finished = False
        try:
            yield incoming
            finished = incoming.finished
        finally:
            _release(self._pool, connection, finished)

    def close(self) -> None:
        self._pool.close()

    def _follow(
        self, request: _Request, token: Token | None, follow: int, reach: Reach | None
    ) -> tuple[PinnedConnection, Incoming]:
        hops: tuple[Hop, ...] = ()
        seen: set[tuple[str, Target]] = set()
        while True:
            token = token if token is not None and token.origin == request.target.origin else None
            connection, incoming = self._once(request, reach, token, hops)
            try:
                hops, reach = incoming.hops, reach_of(connection.address)
                if not follow or incoming.status not in _REDIRECTS:
                    return connection, incoming
                seen.add((request.method, request.target))
                request = _next(request, incoming)
                _check_circles(request, hops, follow, seen)
                finished = _drained(incoming)
            except BaseException:
                connection.hang_up()
                raise
            _release(self._pool, connection, finished)

    def _once(
        self, request: _Request, reach: Reach | None, token: Token | None, hops: tuple[Hop, ...]
    ) -> tuple[PinnedConnection, Incoming]:
        target = request.target
        addresses = self.guard.allowed(target, self.resolver(target.host, target.port), reach)
        reused = self._pool.take(target.origin, addresses)
        if reused is not None:
            try:
                return reused, _exchange(reused, request, token, hops)
            except OutwardUnreachableError:
                if reused.line.answered or request.method not in _REPEATABLE:
                    raise
        fresh = self._connect(target.origin, addresses, request.stop)
        return fresh, _exchange(fresh, request, token, hops)

    def _connect(self, origin: Origin, addresses: tuple[str, ...], stop: Stop | None) -> PinnedConnection:
        last: OSError = TimeoutError()
        dialer = Dialer(origin, self.connect_timeout, stop, self.clock)
        for address in addresses[:_TRIED]:
            try:
                raw = dialer.dial(address)
                if origin.scheme == "https":
                    raw = dialer.secure(raw, self._context())
            except ssl.SSLError as error:
                raise untrusted(origin, error) from None
            except OSError as error:
                last = error
            else:
                return PinnedConnection(origin, address, Line(raw, origin, self.idle_timeout, self.clock))
        raise unreachable(origin, last)

    def _context(self) -> ssl.SSLContext:
        """The system's authorities, read at the first https; SSL_CERT_FILE is honoured there."""
        with self._tls_lock:
            if self.tls is None:
                self.tls = ssl.create_default_context()
                self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
                self.tls.set_alpn_protocols(["http/1.1"])
            return self.tls


def _release(pool: Pool, connection: PinnedConnection, finished: bool) -> None:
    if finished and connection.sock is not None:
        pool.give(connection)
    else:
        connection.hang_up()


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Refuses headers that this client alone sets; a secret travels as a token."""
    for name, value in headers.items():
        if name.lower() in _OURS:
            raise ValueError(f"`{name}` is set by Outward itself")
        if not (value.isascii() and value.isprintable()):
            raise EgressRefusedError(f"The value of the header `{name}` cannot be sent.")
    return headers


def _exchange(connection: PinnedConnection, request: _Request, token: Token | None, hops: tuple[Hop, ...]) -> Incoming:
    """Send, and read the head. The connection is closed when that fails."""
    try:
        answer = _answer(connection, request, token)
        headers = read_head(connection.line, answer)
        body = body_of(connection.line, request.method, answer.status, headers)
    except BaseException:
        connection.hang_up()
        raise
    hop = Hop(request.target.origin, answer.status, headers, reach_of(connection.address))
    return Incoming(request.target.url, connection, (answer.status, headers, body), (*hops, hop))


def _answer(connection: PinnedConnection, request: _Request, token: Token | None) -> http.client.HTTPResponse:
    origin, line = connection.origin, connection.line
    line.begin(request.stop)
    try:
        connection.putrequest(request.method, request.target.path_and_query, skip_host=True, skip_accept_encoding=True)
        for name, value in _every_header(request, token).items():
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        answer.close()
    except (http.client.RemoteDisconnected, ConnectionError, TimeoutError, ssl.SSLError):
        raise broken(origin) from None
    except http.client.HTTPException:
        raise OutwardBadAnswerError(f"`{origin.netloc}` does not speak HTTP as it should.") from None
    line.end_of_head()
    return answer


def _every_header(request: _Request, token: Token | None) -> dict[str, str]:
    ours = {"Host": request.target.origin.netloc, "Accept-Encoding": "identity"}
    if token is not None:
        if not (token.secret.isascii() and token.secret.isprintable()):
            raise EgressRefusedError("The token contains characters that no header can carry.")
        ours["Authorization"] = f"Bearer {token.secret}"
    if request.body or request.method not in _REPEATABLE:
        ours["Content-Length"] = str(len(request.body))
    return {**ours, **request.headers}


def _next(request: _Request, incoming: Incoming) -> _Request:
    """The request that a redirect asks for."""
    location = incoming.headers.get("location")
    if not location:
        raise OutwardBadAnswerError(f"`{request.target.host}` redirects to nowhere.")
    target = join_url(request.target, location)
    check_hop(request.target, target)
    if incoming.status in _KEEP_METHOD or request.method in _REPEATABLE:
        return _Request(request.method, target, request.headers, request.body, request.stop)
    return _Request("GET", target, request.headers, b"", request.stop)


def _check_circles(request: _Request, hops: tuple[Hop, ...], follow: int, seen: set[tuple[str, Target]]) -> None:
    if len(hops) > follow or (request.method, request.target) in seen:
        raise OutwardBadAnswerError(f"`{hops[0].origin.host}` redirects in circles, or too often.")


def _drained(incoming: Incoming) -> bool:
    """Reads the little that a redirect says. False: it says too much."""
    length = incoming.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _SMALL:
        return False
    incoming.read(_SMALL)
    return incoming.finished
