"""One connection to another node: the key is compared with the node that is meant before a byte of a request goes out.

Blocking, for threads; one thread at a time. Follows no redirect, takes nothing compressed, believes no length.
"""

import http.client
import ipaddress
import re
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypedDict, Unpack

from thorp.base.clock import Clock
from thorp.base.errors import IntegrityError, NetworkError
from thorp.identity.ids import NodeId
from thorp.net.egress import Origin, reach_of
from thorp.net.mesh_tls import NoNodeCertificateError, mesh_client_context, node_id_of_certificate
from thorp.net.outward import Hop, Incoming
from thorp.net.outward_body import UntilClose, body_of, read_head
from thorp.net.outward_errors import (
    EgressRefusedError,
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
)
from thorp.net.outward_line import Dialer, Line, PinnedConnection, Stop, broken, unreachable, untrusted

TIMEOUT: Final = 5.0
IDLE_TIMEOUT: Final = 10.0
SLOWEST: Final = 1024  # bytes per second of waiting; whoever gives less over IDLE_TIMEOUT gives nothing
_RECORD: Final = 16 * 1024  # what one TLS record takes; between two of them the deadline is looked at
_LAST_PORT: Final = 65_535
_OK: Final = 200
_PART: Final = 206
_REDIRECTS: Final = frozenset({300, 301, 302, 303, 305, 306, 307, 308})
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~:/?&=%-]{0,1024}")
_VALUE: Final = re.compile(r"[ -~]{1,512}")


class NotThisNodeError(IntegrityError):
    """Somebody else answers where a certain node was expected."""

    code = "net.not_this_node"


class NeighbourSlowError(NetworkError):
    """The whole answer did not come in the time it had."""

    code = "net.neighbour_slow"


class NotGivenError(NetworkError):
    """The other node answers, but not with the bytes that were asked for."""

    code = "net.not_given"

    def __init__(self, message: str, answered: int) -> None:
        super().__init__(message, answered=answered)
        self.answered = answered  # its HTTP status


@dataclass(frozen=True, slots=True)
class Target:
    address: str  # an IP address; names are looked up by nobody
    port: int
    expected: frozenset[NodeId]  # who may be there

    @property
    def origin(self) -> Origin:
        return Origin("https", self.address, self.port)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Options(TypedDict, total=False):
    """What a question may say besides."""

    token: str  # of the session; sent as `Authorization: Bearer`
    body: bytes | None  # JSON
    if_none_match: str  # an ETag; 304 is the answer when it still holds
    stop: Stop | None  # ends a wait within a fraction of a second; else the connection's own


def open_line(target: Target, *, clock: Clock, timeout: float = TIMEOUT, stop: Stop | None = None) -> "MeshConnection":
    """A connection to one of the nodes that are expected there, and to nobody else. `stop` holds for all its life."""
    origin = target.origin
    _check_address(target)
    dialer = Dialer(origin, timeout, stop, clock)
    try:
        wire = dialer.secure(dialer.dial(target.address), mesh_client_context())
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise broken(origin) from None
    except ssl.SSLError as error:
        raise untrusted(origin, error) from None
    except OSError as error:
        raise unreachable(origin, error) from None
    try:
        node = _node_behind(wire, target)
    except BaseException:
        wire.close()
        raise
    line = Line(wire, origin, IDLE_TIMEOUT, clock)
    return MeshConnection(node, PinnedConnection(origin, target.address, line), clock, stop)


def _check_address(target: Target) -> None:
    """Addresses come from packets. A name would be looked up, and would lead anywhere."""
    try:
        found = None if "%" in target.address else ipaddress.ip_address(target.address)
    except ValueError:
        found = None
    if found is None or found.is_multicast or found.is_unspecified or not 0 < target.port <= _LAST_PORT:
        raise EgressRefusedError(f"`{target.address[:80]}` port {target.port} is not where a node can be.")


def _node_behind(wire: ssl.SSLSocket, target: Target) -> NodeId:
    try:
        node = node_id_of_certificate(wire.getpeercert(binary_form=True) or b"")
    except NoNodeCertificateError:
        node = None
    if node is None or node not in target.expected:
        who = f"{node} answers" if node else "something that is no node answers"
        raise NotThisNodeError(
            f"At `{target.origin.netloc}` {who}, which is not who was expected there. Nothing was sent. "
            "Has that machine another address now, or did somebody take it?"
        )
    return node


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    path: str
    options: Options = field(repr=False)  # it has the token
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> bytes:
        return self.options.get("body") or b""

    def every_header(self, origin: Origin) -> dict[str, str]:
        """Refuses what no line of HTTP can carry: parts of a path and a tag may come from elsewhere."""
        headers = {"Host": origin.netloc, "Accept-Encoding": "identity", **self.more}
        if token := self.options.get("token"):
            headers["Authorization"] = f"Bearer {token}"
        if tag := self.options.get("if_none_match"):
            headers["If-None-Match"] = tag
        if self.options.get("body") is not None:
            headers["Content-Type"] = "application/json"
        if self.body or self.method != "GET":
            headers["Content-Length"] = str(len(self.body))
        if not (_PATH.fullmatch(self.path) and all(map(_VALUE.fullmatch, headers.values()))):
            raise EgressRefusedError("A question to another node has characters that cannot be sent.")
        return headers


class _Until:
    """A stop that comes by itself."""

    def __init__(self, clock: Clock, seconds: float, stop: Stop | None) -> None:
        self._clock = clock
        self._ends = clock.monotonic() + seconds
        self._stop = stop

    def told(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def is_set(self) -> bool:
        return self.told() or self._clock.monotonic() >= self._ends


class MeshConnection:
    """Asks one node, one thing after another. After a failure it is closed, and `usable` is false."""

    def __init__(self, node: NodeId, connection: PinnedConnection, clock: Clock, stop: Stop | None) -> None:
        self.node = node  # who it really is
        self._connection = connection
        self._clock = clock
        self._stop = stop
        self._closed = False

    @property
    def usable(self) -> bool:
        """Whether another question can be asked, as far as this side knows."""
        return not self._closed and self._connection.sock is not None

    def ask(self, method: str, path: str, *, largest: int, seconds: float, **options: Unpack[Options]) -> Reply:
        """The whole answer, whatever its status: at most `largest` bytes, after at most `seconds`."""
        question = _Question(method, path, options)
        until = _Until(self._clock, seconds, options.get("stop") or self._stop)
        incoming: Incoming | None = None
        try:
            incoming = self._send(question, until)
            return Reply(incoming.status, incoming.headers, incoming.read(_allowed(incoming, largest)))
        except OutwardStoppedError:
            if until.told():
                raise
            who = self._connection.origin.netloc
            raise NeighbourSlowError(f"`{who}` did not answer within {seconds:g} s.") from None
        finally:
            self._settle(incoming)

    @contextmanager
    def read(self, path: str, *, token: str, first: int, end: int, stop: Stop | None = None) -> Generator["ExactBytes"]:
        """The bytes from `first` up to but not including `end`, or an error before the first of them."""
        if not 0 <= first < end:
            raise ValueError(f"bytes {first} to {end}")
        question = _Question("GET", path, {"token": token}, {"Range": f"bytes={first}-{end - 1}"})
        incoming: Incoming | None = None
        try:
            incoming = self._send(question, stop or self._stop)
            self._check_given(incoming, first, end)
            yield ExactBytes(incoming, end - first, self._clock)
        except BaseException:
            self.close()
            raise
        finally:
            self._settle(incoming)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _settle(self, incoming: Incoming | None) -> None:
        """Keep the connection only when the answer came to its end, and nothing after it."""
        if not (self.usable and incoming is not None and incoming.finished):
            self.close()

    def _send(self, question: "_Question", stop: Stop | None) -> Incoming:
        connection, line, origin = self._connection, self._connection.line, self._connection.origin
        if not self.usable:
            raise broken(origin)
        headers = question.every_header(origin)
        line.begin(stop)
        try:
            _speak(connection, question, headers)
            answer = connection.getresponse()
            answer.close()
        except OSError:  # TLS errors too
            raise broken(origin) from None
        except http.client.HTTPException:
            raise OutwardBadAnswerError(f"`{origin.netloc}` does not speak HTTP as it should.") from None
        line.end_of_head()
        given = read_head(line, answer)
        body = body_of(line, question.method, answer.status, given)
        if answer.status in _REDIRECTS or isinstance(body, UntilClose):
            raise OutwardBadAnswerError(f"`{origin.netloc}` answers as no node does; is it one?")
        hop = Hop(origin, answer.status, given, reach_of(connection.address))
        return Incoming(question.path, connection, (answer.status, given, body), (hop,))

    def _check_given(self, incoming: Incoming, first: int, end: int) -> None:
        """Raise unless the head promises exactly these bytes."""
        who, headers = self._connection.origin.netloc, incoming.headers
        if incoming.status not in (_OK, _PART):
            raise NotGivenError(f"`{who}` does not give the file (status {incoming.status}).", incoming.status)
        length = headers.get("content-length")
        if incoming.status == _OK:
            fits = first == 0 and length == str(end)
        else:
            found = _RANGE.fullmatch(headers.get("content-range", ""))
            fits = found is not None and _is_range(found, first, end) and length in (None, str(end - first))
        if not fits:
            raise OutwardBadAnswerError(f"`{who}` sends another part of the file than it was asked for.")


class ExactBytes:
    """So many bytes and not one more; fewer, or too few at a time, are an error."""

    def __init__(self, incoming: Incoming, left: int, clock: Clock) -> None:
        self._incoming = incoming
        self._clock = clock
        self._waited = 0.0  # here alone: whoever takes the bytes may be slow
        self._came = 0
        self.left = left

    def readinto(self, buffer: memoryview) -> int:
        """How many bytes came; 0 is the end of what was asked for."""
        if not self.left:
            return 0
        begun = self._clock.monotonic()
        count = self._incoming.readinto(buffer[: self.left])
        if not count:
            raise broken(self._incoming.hops[-1].origin)
        self.left -= count
        self._check_pace(count, self._clock.monotonic() - begun)
        return count

    def _check_pace(self, count: int, waited: float) -> None:
        self._came += count
        self._waited += waited
        if self._waited < IDLE_TIMEOUT or not self.left:
            return
        if self._came < SLOWEST * self._waited:
            who = self._incoming.hops[-1].origin.netloc
            raise OutwardStalledError(f"`{who}` sent {self._came} bytes in {self._waited:.0f} s, which is too slow.")
        self._came, self._waited = 0, 0.0


def _speak(connection: PinnedConnection, question: _Question, headers: Mapping[str, str]) -> None:
    connection.putrequest(question.method, question.path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    for at in range(0, len(question.body), _RECORD):
        connection.send(question.body[at : at + _RECORD])


def _allowed(incoming: Incoming, largest: int) -> int:
    """What may be read; an answer that says itself that it is larger is not begun."""
    if int(incoming.headers.get("content-length", "0")) > largest:
        raise OutwardBadAnswerError(f"`{incoming.hops[-1].origin.netloc}` sent more than {largest} bytes.")
    return largest


def _is_range(found: re.Match[str], first: int, end: int) -> bool:
    return (int(found[1]), int(found[2]) + 1) == (first, end) and int(found[3]) >= end
