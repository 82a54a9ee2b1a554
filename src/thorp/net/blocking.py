"""A small blocking HTTP client for a command line that asks one node and ends: quick to import, no proxy, no redirect.

A node is named by its Unix socket or by a URL; `https://host:port#sha256=<hex>` trusts exactly that certificate.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

from thorp.base.errors import IntegrityError, NetworkError, UsageError

TIMEOUT: Final = 30.0
STREAM_TIMEOUT: Final = 60.0  # a stream that lives says something every few seconds
LARGEST_ANSWER: Final = 64 * 1024 * 1024
LARGEST_EVENT: Final = 1024 * 1024
FIRST_REDIRECT: Final = 300
FIRST_ERROR: Final = 400
NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})  # by version of OpenSSL
_PIECE: Final = 64 * 1024
_PIN: Final = "sha256="
_PORTS: Final = {"http": 80, "https": 443}


class BadAddressError(UsageError):
    """Not the address of a node."""

    code = "net.bad_address"


class BadKeyError(UsageError):
    """Not a key: no header could carry it."""

    code = "net.bad_key"


class UnreachableError(NetworkError):
    """Nobody answers at the node's address, or the line broke."""

    code = "net.unreachable"


class SilentError(NetworkError):
    """The node took the request and then said nothing for too long."""

    code = "net.silent"


class UntrustedError(NetworkError):
    """No authority this machine trusts vouches for the other side, and no fingerprint was named."""

    code = "net.untrusted"


class WrongCertificateError(IntegrityError):
    """The other side does not hold the certificate that was named."""

    code = "net.wrong_certificate"


class BadAnswerError(NetworkError):
    """What answers there does not speak like a node."""

    code = "net.bad_answer"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node answers: a socket's path, or host and port."""

    scheme: str  # unix, http, https
    host: str
    port: int = 0
    pin: bytes = b""  # SHA-256 of the only certificate that is trusted; empty: the system's authorities

    def __str__(self) -> str:
        if self.scheme == "unix":
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON of the body; None when there is none."""
        return parsed(self.body)


@dataclass(frozen=True, slots=True)
class SseFrame:
    event: str
    id: str
    data: Any  # parsed JSON


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise BadAnswerError("The answer is not JSON. Is the address really that of a node?") from None


def parse_address(text: str) -> Address:
    """The address a person gave."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS[parts.scheme]
        digits = parts.fragment.removeprefix(_PIN).replace(":", "")
        pin = bytes.fromhex(digits) if parts.fragment.startswith(_PIN) else b""
    except (KeyError, ValueError):
        raise _bad_address(text) from None
    unclear = parts.username or parts.query or parts.path not in {"", "/"} or not parts.hostname
    if unclear or (parts.fragment and (parts.scheme != "https" or len(pin) != sha256().digest_size)):
        raise _bad_address(text)
    return Address(parts.scheme, cast("str", parts.hostname), port, pin)


def _bad_address(text: str) -> BadAddressError:
    shown = text.rpartition("@")[2][:120]  # what stands before an @ may be a password
    return BadAddressError(
        f"`{shown}` is not the address of a node; one looks like `http://127.0.0.1:8737` "
        "or `https://192.168.1.20:8738#sha256=<fingerprint>`."
    )


@dataclass(frozen=True, slots=True)
class BlockingClient:
    """Asks one node. Every request has its own connection."""

    address: Address
    key: str = field(default="", repr=False)
    timeout: float = TIMEOUT
    largest_answer: int = LARGEST_ANSWER

    @classmethod
    def unix(cls, path: Path) -> Self:
        return cls(Address("unix", str(path)))

    @classmethod
    def url(cls, text: str, key: str) -> Self:
        return cls(parse_address(text), key)

    def request(self, method: str, path: str, body: object = None) -> Answer:
        """The node's answer, whatever its status."""
        with self._asked(method, path, body, self.timeout, {"Accept": "application/json"}) as response:
            data = response.read(self.largest_answer + 1)
            if len(data) > self.largest_answer:
                raise BadAnswerError(f"The answer of {self.address} is larger than {self.largest_answer} bytes.")
            if response.length:
                raise http.client.IncompleteRead(data)
            return _answer(response, data)

    def events(
        self, method: str, path: str, body: object = None, *, last_id: str = ""
    ) -> Generator[SseFrame, None, None]:
        """Server-sent events until the node ends the stream. A refusal is one event called `error`."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        with self._asked(method, path, body, max(self.timeout, STREAM_TIMEOUT), headers) as response:
            if response.status >= FIRST_ERROR:
                yield SseFrame("error", "", parsed(response.read(LARGEST_EVENT)))
                return
            yield from _events(response)

    @contextmanager
    def _asked(
        self, method: str, path: str, body: object, timeout: float, headers: dict[str, str]
    ) -> Generator[http.client.HTTPResponse]:
        connection = _connection(self.address, timeout)
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        if not self.key.isascii() or not self.key.isprintable():
            raise BadKeyError("The key has characters no key has; was something else copied with it?")
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            if FIRST_REDIRECT <= response.status < FIRST_ERROR:
                raise BadAnswerError(f"{self.address} points elsewhere, where a node would not; check the address.")
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise _failure(self.address, error) from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _PinnedConnection(http.client.HTTPSConnection):
    """Compares the certificate before a byte of the request is sent. Names and authorities play no part."""

    def __init__(self, address: Address, timeout: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(address.host, address.port, timeout=timeout, context=context)
        self._address = address

    def connect(self) -> None:
        super().connect()
        shown = cast("ssl.SSLSocket", self.sock).getpeercert(binary_form=True) or b""
        if not compare_digest(sha256(shown).digest(), self._address.pin):
            self.close()
            raise WrongCertificateError(
                f"{self._address} shows another certificate than the one in its address. Nothing was sent. "
                "If the node made a new one, `thorp status` shows its fingerprint there."
            )


def _connection(address: Address, timeout: float) -> http.client.HTTPConnection:
    if address.scheme == "unix":
        return _UnixConnection(address.host, timeout)
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    if address.pin:
        return _PinnedConnection(address, timeout)
    return http.client.HTTPSConnection(address.host, address.port, timeout=timeout)


def _failure(address: Address, error: OSError | http.client.HTTPException) -> NetworkError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedError(
            f"The certificate of {address} is not one this machine trusts: {error.verify_message}. "
            "A node's own certificate is trusted by its fingerprint: `https://…#sha256=<fingerprint>`."
        )
    if isinstance(error, ssl.SSLError) and error.reason in NO_TLS:
        return BadAnswerError(f"{address} speaks no TLS. Try `{replace(address, scheme='http', pin=b'')}`.")
    if isinstance(error, TimeoutError):
        return SilentError(f"{address} does not answer in time. `thorp status` on that machine says how it is.")
    if isinstance(error, http.client.IncompleteRead):
        return UnreachableError(f"The answer of {address} broke off.")
    if isinstance(error, OSError):
        start = "Start it with `thorp up`." if address.scheme == "unix" else "Is it running, and is this its address?"
        return UnreachableError(f"The node at {address} cannot be reached: {error.strerror or error}. {start}")
    return BadAnswerError(f"{address} does not answer as a node does ({type(error).__name__}); check the address.")


def _answer(response: http.client.HTTPResponse, data: bytes) -> Answer:
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)


def _events(response: http.client.HTTPResponse) -> Iterator[SseFrame]:
    fields: dict[str, list[str]] = {}
    size = 0
    for line in _lines(response):
        size = size + len(line) + 1 if line else 0
        if size > LARGEST_EVENT:
            raise _oversized()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        if line:
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            last = {name: values[-1] for name, values in fields.items()}
            data = parsed("\n".join(fields["data"]).encode())
            yield SseFrame(last.get("event", "message"), last.get("id", ""), data)
        fields = {}


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """As they come. `response.readline` would take a line that broke off for the end."""
    rest = b""
    while piece := response.read1(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in lines)
        if len(rest) > LARGEST_EVENT:
            raise _oversized()


def _oversized() -> BadAnswerError:
    return BadAnswerError(f"The stream has an event of more than {LARGEST_EVENT} bytes.")
