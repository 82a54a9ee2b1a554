"""What a request must show before anybody asks who sends it: the right name, no foreign page behind it, a plain body.

Pure functions decide; `Guard` is the one ASGI wrapper that stands before every route of every listener. Browsers are
the reason: any page a person opens can send requests to this machine, but it cannot choose these headers.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thorp.base.errors import NotAllowedError, ThorpError, UsageError
from thorp.net.answers import NO_STORE, SECURITY_HEADERS, Headers, send_refusal
from thorp.net.facts import LISTENER
from thorp.wire.passing import was_passed_on

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
API: Final = ("/api/", "/v1/")
KEY_NAMES: Final = frozenset({"key", "api_key", "apikey", "token", "access_token"})
KEY_LIKE: Final = re.compile(rb"thorp_(o|[ksp][0-9a-z]{8})_")  # wherever it stands
OWN_SITE: Final = frozenset({b"same-origin", b"none"})
_HOST: Final = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::[0-9]{1,5})?")
_SHOWN: Final = 80


class MisdirectedError(UsageError):
    """A name this node does not go by. Behind a foreign name stands a foreign page (DNS rebinding)."""

    code = "net.misdirected"
    status = 421


class CrossOriginError(NotAllowedError):
    """A page that is not ours is behind this request."""

    code = "net.cross_origin"


class KeyInQueryError(UsageError):
    """A secret where histories and logs keep it."""

    code = "net.key_in_query"


class UnsupportedBodyError(UsageError):
    """A body that is compressed, or not declared as what the route takes."""

    code = "net.unsupported_body"
    status = 415


class BodyTooLargeError(UsageError):
    """A body larger than this listener takes."""

    code = "net.body_too_large"
    status = 413


def no_names() -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    hosts: Callable[[], Collection[str]] = no_names  # what the owner set as `local.hosts`, now
    machine: str = ""  # this machine's name: `<machine>.local` is answered to when exposed
    pages: tuple[str, ...] = ("/", "/plain/")  # may be opened by a link from anywhere; `…/` stands for all below
    media: tuple[tuple[str, str], ...] = (("/plain/", FORM),)  # paths that take another type than JSON
    body_bytes: int = 8 * 1024 * 1024
    body_bytes_below: tuple[tuple[str, int], ...] = ()  # paths with a limit of their own


@dataclass(frozen=True, slots=True)
class Asked:
    """What the guards look at."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    scheme: str = "http"
    kind: str = "local"
    address: str = "127.0.0.1"  # the one of ours this connection came in by; a path for a Unix socket


def check(asked: Asked, policy: GuardPolicy) -> None:
    """Return only for a request that may go on to be authenticated."""
    check_host(asked, policy)
    check_query(asked)
    check_origin(asked, policy)
    check_body(asked, policy)


def check_host(asked: Asked, policy: GuardPolicy) -> None:
    host = asked.headers.get(b"host", b"")
    name = host_name(host)
    if name is None or not _is_ours(name, asked, policy):
        raise MisdirectedError(
            f"This node does not go by the name `{host.decode('latin-1')[:_SHOWN]}`. "
            "Open it by its address, or add the name: `thorp config set local.hosts NAME`."
        )


def host_name(host: bytes) -> str | None:
    """The name in a Host header as names are compared: lower case, no port, addresses in their one spelling."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    literal, name = found.groups()
    text = (literal or name).decode("ascii").lower()
    try:
        return _spelled(text) if literal else str(ipaddress.IPv4Address(text))
    except ValueError:
        return None if literal else text


def _spelled(address: str) -> str:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return str((parsed.ipv4_mapped or parsed) if isinstance(parsed, ipaddress.IPv6Address) else parsed)


def _is_ours(name: str, asked: Asked, policy: GuardPolicy) -> bool:
    if name.endswith(".local") and asked.kind != "exposed":
        return False
    machine = re.escape(policy.machine.lower())
    if machine and re.fullmatch(rf"{machine}(-[0-9]{{1,3}})?\.local", name):
        return True
    return name in _own_addresses(asked.kind, asked.address) or name in _names(policy)


@lru_cache(maxsize=64)  # asked at every request; a machine has few addresses
def _own_addresses(kind: str, address: str) -> Collection[str]:
    if kind == "socket":
        return frozenset({"localhost"})
    spelled = _spelled(address)
    if ipaddress.ip_address(spelled).is_loopback:
        return frozenset({spelled, "127.0.0.1", "::1", "localhost"})
    return frozenset({spelled})


def _names(policy: GuardPolicy) -> Collection[str]:
    return {name.lower() for name in policy.hosts()}


def check_origin(asked: Asked, policy: GuardPolicy) -> None:
    """Browsers name the page behind a request; everything else sends neither header and passes."""
    headers = asked.headers
    origin = headers.get(b"origin")
    if asked.method == "OPTIONS" and (origin is not None or b"access-control-request-method" in headers):
        raise CrossOriginError("This node grants nothing to pages of other sites, so there is nothing to ask ahead.")
    if asked.kind == "socket" and not was_passed_on(headers) and (origin is not None or b"sec-fetch-site" in headers):
        raise CrossOriginError(
            "No browser opens the owner's socket by itself; a proxy in between has to send `X-Forwarded-For`."
        )
    if origin is not None and origin.lower() not in _own_origins(asked, policy):
        raise CrossOriginError(f"A page of `{origin.decode('latin-1')[:_SHOWN]}` may not use this node.")
    site = headers.get(b"sec-fetch-site", b"none")
    if site not in OWN_SITE and not _opens_a_page(asked, policy):
        raise CrossOriginError("A page of another site may link to this node's pages, and do nothing else with it.")


def _own_origins(asked: Asked, policy: GuardPolicy) -> Collection[bytes]:
    """The page's address must be the very one this request was sent to: scheme, name and port."""
    host = asked.headers.get(b"host", b"").lower()
    origins = {asked.scheme.encode("ascii") + b"://" + host}
    if was_passed_on(asked.headers) and host_name(host) in _names(policy):
        origins.add(b"https://" + host)  # the owner's proxy may speak TLS for us
    return origins


def _opens_a_page(asked: Asked, policy: GuardPolicy) -> bool:
    """A person followed a link: no script of the other site sees the answer, and a page changes nothing."""
    mode, target = asked.headers.get(b"sec-fetch-mode"), asked.headers.get(b"sec-fetch-dest")
    return (
        asked.method == "GET"
        and (mode, target) == (b"navigate", b"document")
        and any(_below(asked.path, page) for page in policy.pages)
    )


def _below(path: str, prefix: str) -> bool:
    return path == prefix or (prefix != "/" and prefix.endswith("/") and path.startswith(prefix))


def check_query(asked: Asked) -> None:
    names = (name for name, _ in parse_qsl(asked.query.decode("latin-1"), keep_blank_values=True))
    named = any(name.lower().replace("-", "_") in KEY_NAMES for name in names)
    if named or KEY_LIKE.search(unquote_to_bytes(asked.query)):
        raise KeyInQueryError(
            "A key does not belong into an address, where histories and logs keep it. "
            "Send it as `Authorization: Bearer <key>`, and revoke it if it was a real one."
        )


def check_body(asked: Asked, policy: GuardPolicy) -> None:
    headers = asked.headers
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        raise UnsupportedBodyError("Compressed bodies are not taken; send it as it is.")
    length = int(headers.get(b"content-length", b"0"))
    if not length and b"transfer-encoding" not in headers:
        return
    limit = body_limit(asked.path, policy)
    if length > limit:
        raise _too_large(limit)
    taken = {JSON, *(media for prefix, media in policy.media if _below(asked.path, prefix))}
    if media_type(headers.get(b"content-type", b"")) not in taken:
        raise UnsupportedBodyError(f"Send the body with `Content-Type: {' or '.join(sorted(taken))}`.")


def media_type(content_type: bytes) -> str | None:
    """The type without its parameters; None for text that is not UTF-8."""
    media, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            return None
    return media


def body_limit(path: str, policy: GuardPolicy) -> int:
    own = [limit for prefix, limit in policy.body_bytes_below if _below(path, prefix)]
    return max(own, default=policy.body_bytes)


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than {limit} bytes.", limit=limit)


class Guard:
    """The wrapper. An application behind it never sees a request that `check` refuses."""

    def __init__(self, app: ASGIApp, policy: GuardPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan passes; a WebSocket gets no answer, since no listener speaks it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = asked_of(scope)
        answer = Dressed(send, asked.path)
        try:
            check(asked, self._policy)
        except ThorpError as error:
            await send_refusal(answer.send, error)
            return
        try:
            await self._app(scope, counted(receive, body_limit(asked.path, self._policy)), answer.send)
        except BodyTooLargeError as error:
            if not answer.begun:  # else the listener breaks it off
                await send_refusal(answer.send, error)


def asked_of(scope: Scope) -> Asked:
    return Asked(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"],
        headers=dict(scope["headers"]),
        scheme=scope["scheme"],
        kind=scope["state"][LISTENER].kind,
        address=scope["server"][0],
    )


def counted(receive: Receive, limit: int) -> Receive:
    """The limit on what really comes, whatever was announced."""
    left = limit

    async def counting() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(limit)
        return message

    return counting


class Dressed:
    """An answer with the headers every answer carries. No answer ever carries one that opens it to other sites."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": dressed(message.get("headers", ()), self._path)}
        await self._send(message)


def dressed(headers: Iterable[tuple[bytes, bytes]], path: str) -> Headers:
    """An application may say something stricter or fitter itself, except across sites."""
    said = [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]
    names = {name.lower() for name, _ in said}
    standing = (*SECURITY_HEADERS, NO_STORE) if path.startswith(API) else SECURITY_HEADERS
    return said + [header for header in standing if header[0] not in names]
