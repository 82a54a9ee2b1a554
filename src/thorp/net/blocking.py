"""A small blocking HTTP client for the command line: one node, one request at a time, JSON in and out.

It follows no redirect, uses no proxy and sends its key to nobody but the address it was given.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from thorp.base.errors import IntegrityError, NetworkError, UsageError

SECONDS: Final = 30.0
SILENCE: Final = 60.0  # between two pieces of a stream; nodes say something every 15 s
LARGEST_ANSWER: Final = 32 * 1024 * 1024
LONGEST_LINE: Final = 16 * 1024 * 1024
FIRST_ERROR: Final = 400
PIN: Final = "sha256="


class UnreachableError(NetworkError):
    """Nobody answers there, or the connection broke."""

    code = "net.unreachable"


class NotThorpError(NetworkError):
    """What answers there does not speak as a node does."""

    code = "net.strange_answer"


class BadAddressError(UsageError):
    """An address that is none."""

    code = "net.bad_address"


class WrongCertificateError(IntegrityError):
    """The other side does not hold the certificate that was expected."""

    code = "net.wrong_certificate"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: Any  # parsed JSON; None when the body is empty


@dataclass(frozen=True, slots=True)
class SseFrame:
    event: str
    id: str
    data: Any


@dataclass(frozen=True, slots=True)
class Target:
    """Where a node answers: a Unix socket, or a host and port with or without TLS."""

    where: str
    socket: Path | None = None
    host: str = "localhost"
    port: int = 0
    tls: bool = False
    pin: str = ""  # SHA-256 of the certificate, in hex

    @classmethod
    def parse(cls, url: str) -> Self:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        pin = parts.fragment.removeprefix(PIN).replace(":", "").lower() if parts.fragment else ""
        clean = not (parts.username or parts.password or parts.query or parts.path.strip("/"))
        if parts.scheme not in {"http", "https"} or not parts.hostname or not clean or not _is_pin(parts.fragment, pin):
            raise BadAddressError(
                f"`{url[:200]}` is no address of a node; one looks like `http://127.0.0.1:8737`, "
                "or `https://192.168.1.5:8738#sha256=…` with the fingerprint that `thorp expose` shows."
            )
        where = f"{parts.scheme}://{parts.netloc}"
        return cls(where, None, parts.hostname, port, parts.scheme == "https", pin)


def _is_pin(fragment: str, pin: str) -> bool:
    return not fragment or (fragment.startswith(PIN) and len(pin) == 64 and set(pin) <= set("0123456789abcdef"))  # noqa: PLR2004


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class PinnedConnection(http.client.HTTPSConnection):
    """HTTPS to whoever holds one certificate, whatever names are in it. Compared before the first byte of a request."""

    def __init__(self, target: Target, seconds: float) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the fingerprint below says more than any authority could
        super().__init__(target.host, target.port, timeout=seconds, context=context)
        self._pin = target.pin

    def connect(self) -> None:
        super().connect()
        shown = self.sock.getpeercert(binary_form=True) or b""  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]  (http.client's stub knows no TLS socket)
        if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), self._pin):  # pyright: ignore[reportUnknownArgumentType]
            self.close()
            raise WrongCertificateError(
                f"{self.host}:{self.port} shows another certificate than the one you named. "
                "Compare the fingerprint with what `thorp expose` showed; if it differs, somebody stands in between."
            )


class BlockingClient:
    def __init__(self, target: Target, key: str = "") -> None:
        self._target = target
        self._key = key

    @classmethod
    def unix(cls, path: Path) -> Self:
        return cls(Target(str(path), path))

    @classmethod
    def url(cls, url: str, key: str) -> Self:
        return cls(Target.parse(url), key)

    def request(self, method: str, path: str, body: object = None) -> Answer:
        with self._asked(method, path, body, "application/json", SECONDS) as response:
            content = response.read(LARGEST_ANSWER + 1)
            if len(content) > LARGEST_ANSWER:
                raise NotThorpError(f"{self._target.where} answers with more than {LARGEST_ANSWER} bytes.")
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, self._parsed(content))

    def events(self, method: str, path: str, body: object = None) -> Iterator[SseFrame]:
        """The events of a stream as they come. An answer that is no stream is one event called `error`."""
        with self._asked(method, path, body, "text/event-stream", SILENCE) as response:
            if response.status >= FIRST_ERROR:
                yield SseFrame("error", "", self._parsed(response.read(LARGEST_ANSWER)))
                return
            yield from self._frames(response)

    def _frames(self, response: http.client.HTTPResponse) -> Iterator[SseFrame]:
        fields: dict[str, str] = {}
        while line := response.readline(LONGEST_LINE):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text and not text.startswith(":"):
                name, _, value = text.partition(":")
                fields[name] = value.removeprefix(" ")
            elif not text and fields:
                data = self._parsed(fields.get("data", "null").encode())
                yield SseFrame(fields.get("event", "message"), fields.get("id", ""), data)
                fields = {}

    def _parsed(self, content: bytes) -> Any:
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError):
            raise NotThorpError(f"{self._target.where} does not answer as a Thorp node does.") from None

    @contextmanager
    def _asked(
        self, method: str, path: str, body: object, accept: str, seconds: float
    ) -> Generator[http.client.HTTPResponse]:
        connection = self._connection(seconds)
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        target = self._target
        if target.socket is not None:
            return UnixConnection(target.socket, seconds)
        if target.pin:
            return PinnedConnection(target, seconds)
        if target.tls:
            return http.client.HTTPSConnection(target.host, target.port, timeout=seconds)
        return http.client.HTTPConnection(target.host, target.port, timeout=seconds)

    def _unreachable(self, error: Exception) -> UnreachableError:
        where = self._target.where
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"The certificate of {where} is not one this machine trusts. If it is your own node, add the "
                f"fingerprint that `thorp expose` showed: `{where}#sha256=…`."
            )
        if isinstance(error, TimeoutError):
            return UnreachableError(f"{where} does not answer in time. Is the node busy, or is something in the way?")
        return UnreachableError(f"{where} cannot be reached: {error or type(error).__name__}. Does the node run there?")
