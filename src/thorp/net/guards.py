"""What a request has to be before anybody asks who sent it: meant for this node, and not made by a foreign web page.

Pure decisions first; `Guard` applies them on every listener and lets nothing out without its headers.
"""

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thorp.base.errors import NotAllowedError, ThorpError, UsageError
from thorp.net.answers import NO_STORE, SECURITY_HEADERS, send_refusal
from thorp.net.facts import LISTENER, ListenerFacts

Headers: TypeAlias = Mapping[bytes, bytes]

JSON: Final = b"application/json"
FORM: Final = b"application/x-www-form-urlencoded"
PRIVATE: Final = ("/api", "/v1", "/metrics", "/plain")  # never kept by a cache
PORTS: Final = {"http": 80, "https": 443}
READS: Final = frozenset({"GET", "HEAD"})
MEGABYTE: Final = 1024 * 1024


class MisdirectedError(UsageError):
    """A request for a host that is not this node; what a rebound name looks like from here."""

    code = "net.misdirected"
    status = 421


class CrossOriginError(NotAllowedError):
    """A request that a foreign web page made."""

    code = "net.cross_origin"


class MediaTypeError(UsageError):
    """A body in a form that is not taken here."""

    code = "net.media_type"
    status = 415


class BodyTooLargeError(UsageError):
    """More bytes than are taken here."""

    code = "net.body_too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    hosts: Callable[[], tuple[str, ...]] = tuple  # further names of this node, from its settings
    forms: frozenset[str] = frozenset()  # paths that take a form instead of JSON
    body_bytes: int = 8 * MEGABYTE
    larger: Mapping[str, int] = field(default_factory=dict[str, int])  # by the start of the path
    host_name: str = field(default_factory=socket.gethostname)

    def limit(self, path: str) -> int:
        return max((size for start, size in self.larger.items() if path.startswith(start)), default=self.body_bytes)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a request came in, and what it says about where it wanted to go."""

    listener: ListenerFacts
    own_host: str  # the address this connection reached; empty on a socket
    method: str
    path: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and a port as somebody wrote them, in one spelling."""

    host: str
    port: int | None


def authority(text: str) -> Authority | None:
    """`host[:port]`, or None when it is anything else."""
    if not text.isascii() or any(character in text for character in "/\\@?# \t,%"):
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return Authority(literal(host) or host, port) if host and not host.endswith(".") else None


def literal(host: str) -> str | None:
    """The one spelling of an IP address, or None when it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def own_names(arrival: Arrival, policy: GuardPolicy) -> frozenset[str]:
    """Every host this request may name."""
    names = {"localhost", *(name.lower() for name in policy.hosts())}
    if own := literal(arrival.own_host.partition("%")[0]):
        names.add(own)
    if arrival.listener.kind == "exposed":
        first = policy.host_name.partition(".")[0].lower()
        names |= {policy.host_name.lower(), f"{first}.local"}
    return frozenset(names)


def misdirected(arrival: Arrival, policy: GuardPolicy) -> ThorpError | None:
    wanted = authority(arrival.headers.get(b"host", b"").decode("latin-1"))
    if wanted and wanted.host in own_names(arrival, policy):
        return None
    return MisdirectedError(
        "This node does not answer for that host. If it is a name of yours for it, add it: "
        "`thorp config set local.hosts NAME`."
    )


def foreign(arrival: Arrival, policy: GuardPolicy) -> ThorpError | None:
    """The refusal of what a page from elsewhere caused, or None."""
    origin = arrival.headers.get(b"origin")
    if origin is not None and not is_own_origin(origin.decode("latin-1"), arrival, policy):
        return CrossOriginError("Pages of another origin may not use this node.")
    if b"access-control-request-method" in arrival.headers:
        return CrossOriginError("This node allows no requests across origins.")
    if not is_own_site(arrival):
        return CrossOriginError("Pages of another site may not use this node.")
    return None


def is_own_origin(origin: str, arrival: Arrival, policy: GuardPolicy) -> bool:
    """Whether the page is one of ours: same scheme, host and port as the request itself names."""
    scheme, mark, rest = origin.partition("://")
    page, wanted = authority(rest), authority(arrival.headers.get(b"host", b"").decode("latin-1"))
    if not mark or scheme not in PORTS or page is None or wanted is None or arrival.listener.kind == "socket":
        return False
    own_scheme = "https" if arrival.listener.tls else "http"
    behind_proxy = page.host in {name.lower() for name in policy.hosts()}
    if scheme != own_scheme and not (behind_proxy and scheme == "https"):
        return False
    return page.host == wanted.host and (page.port or PORTS[scheme]) == (wanted.port or PORTS[scheme])


def is_own_site(arrival: Arrival) -> bool:
    """What the browser says about who caused the request. Following a link to a page is nobody's attack."""
    site = arrival.headers.get(b"sec-fetch-site")
    if site is None or site in {b"same-origin", b"none"}:
        return True
    return (
        arrival.method in READS
        and arrival.headers.get(b"sec-fetch-mode") == b"navigate"
        and arrival.headers.get(b"sec-fetch-dest") == b"document"
        and (arrival.path == "/" or arrival.path.startswith("/plain/"))
    )


def wrong_body(arrival: Arrival, policy: GuardPolicy) -> ThorpError | None:
    """The refusal of a body by what its headers say, or None."""
    if arrival.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        return MediaTypeError("Compressed bodies are not taken; send it as it is.")
    length = arrival.headers.get(b"content-length", b"0")
    if length == b"0" and b"transfer-encoding" not in arrival.headers:
        return None
    limit = policy.limit(arrival.path)
    if length.isdigit() and int(length[:20]) > limit:
        return too_large(limit)
    kind = arrival.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    wanted = FORM if arrival.path in policy.forms else JSON
    if kind != wanted:
        return MediaTypeError(f"The body has to be sent with `Content-Type: {wanted.decode()}`.")
    return None


def too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body may have at most {limit} bytes.", limit=limit)


def arrival_of(scope: Scope) -> Arrival:
    server = cast("tuple[str, int | None] | None", scope.get("server"))
    listener: ListenerFacts = scope["state"][LISTENER]
    own_host = server[0] if server and listener.kind != "socket" else ""
    return Arrival(listener, own_host, scope["method"], scope["path"], dict(scope["headers"]))


class Guard:
    """Stands in front of everything a listener answers with."""

    def __init__(self, app: ASGIApp, policy: GuardPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = arrival_of(scope)
        checks = (misdirected, foreign, wrong_body)
        refused = next((error for check in checks if (error := check(arrival, self._policy))), None)
        if refused is not None:
            await send_refusal(send, refused)
            return
        await self._app(scope, self._bounded(receive, arrival.path), with_headers(send, arrival.path))

    def _bounded(self, receive: Receive, path: str) -> Receive:
        limit, taken = self._policy.limit(path), 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise too_large(limit)
            return message

        return bounded


def with_headers(send: Send, path: str) -> Send:
    """Every answer carries the security headers; those of a private path also that nobody may keep them."""
    extra = (*SECURITY_HEADERS, NO_STORE) if path.startswith(PRIVATE) else SECURITY_HEADERS

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message.get("headers", ())}
            added = [one for one in extra if one[0] not in present]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending
