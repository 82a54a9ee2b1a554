"""What a well-made HTTP/1.1 request looks like, and how much of it there may be. Decides; reads no socket.

The parser below (llhttp, strict) already refuses folded headers, bare CR or LF, Transfer-Encoding beside
Content-Length and repeated lengths. Here stands what it lets through.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from thorp.base.errors import BusyError, DeadlineError, TryAgainError, UsageError


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Every bound of a listener, in one place, so that a test can make them small."""

    head_bytes: int = 32 * 1024
    head_seconds: float = 10.0  # from the connection, or the first byte of a later request, to its last header
    headers: int = 100
    target_bytes: int = 8 * 1024
    body_seconds: float = 30.0  # within each such window a body still on its way …
    body_least: int = 16 * 1024  # … must grow by this much: one byte a second is as good as none
    write_seconds: float = 30.0  # a peer that takes nothing for so long is gone
    keep_alive_seconds: float = 60.0
    pipelined: int = 16
    connections: int = 512
    connections_per_peer: int = 64  # not counted for this machine itself
    turned_away: int = 64  # connections over the cap that are being told so
    handshake_seconds: float = 5.0
    linger_seconds: float = 2.0  # time for a refused peer to read why; closing at once would reset it away
    linger_bytes: int = 1024 * 1024
    gone_seconds: float = 10.0  # how long a handler may go on after its client left


class MalformedRequestError(UsageError):
    """Bytes that are not a request, or one that two readers could understand differently."""

    code = "net.malformed_request"


class HeadTooLargeError(UsageError):
    """More headers, or longer ones, than a request may have."""

    code = "net.head_too_large"
    status = 431


class TargetTooLongError(UsageError):
    """An address longer than this node reads."""

    code = "net.target_too_long"
    status = 414


class BadMethodError(UsageError):
    """A method that this node does not speak."""

    code = "net.bad_method"
    status = 405


class BadVersionError(UsageError):
    """A version of HTTP that this node does not speak."""

    code = "net.bad_version"
    status = 505


class UpgradeRefusedError(UsageError):
    """Asked to leave HTTP/1.1 for WebSocket, h2c or a tunnel."""

    code = "net.upgrade_refused"


class TooSlowError(DeadlineError):
    """A request that did not arrive in time."""

    code = "net.too_slow"


class PipelineFullError(BusyError):
    """Too many requests sent ahead on one connection."""

    code = "net.pipeline_full"


class TooManyConnectionsError(TryAgainError):
    """All connections this listener may hold are in use."""

    code = "net.too_many_connections"


class StoppingError(TryAgainError):
    """The listener is closing while this request was still being answered."""

    code = "net.stopping"


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Header names are in lower case."""

    method: str
    target: bytes
    version: str
    headers: Sequence[tuple[bytes, bytes]]
    upgrade: bool = False


METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
VERSIONS: Final = frozenset({"1.0", "1.1"})
ONLY_ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"x-api-key",
    }
)


def check_head(head: Head) -> None:
    """Return only for a request that everybody reads alike."""
    if head.version not in VERSIONS:
        raise BadVersionError(f"HTTP/{head.version} is not spoken here; use HTTP/1.1.")
    if head.method == "CONNECT" or head.upgrade:
        raise UpgradeRefusedError(
            "This server stays with HTTP/1.1: no WebSocket, no h2c, no tunnel. "
            "Tell the client to use HTTP/1.1 without upgrade."
        )
    if head.method not in METHODS:
        raise BadMethodError(f"The method {head.method} is not used here.")
    if not head.target.startswith(b"/") or b"#" in head.target:
        raise MalformedRequestError(
            "The request target must be a path that begins with `/`, without scheme or fragment."
        )
    _check_headers(head)


def _check_headers(head: Head) -> None:
    times = Counter(name for name, _ in head.headers if name in ONLY_ONCE)
    if b"host" not in times:
        raise MalformedRequestError("The request has no Host header; exactly one is needed.")
    for name, count in times.items():
        if count > 1:
            raise MalformedRequestError(f"The header {name.decode()} occurs {count} times; send it once.")
    if b"transfer-encoding" not in times:
        return
    coding = next(value for name, value in head.headers if name == b"transfer-encoding")
    if head.version == "1.0" or coding.strip().lower() != b"chunked" or b"content-length" in times:
        raise MalformedRequestError("A body is sent with Content-Length, or chunked in HTTP/1.1, and in no other way.")
