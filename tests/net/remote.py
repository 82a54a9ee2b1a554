"""Servers on loopback that answer whatever a test says, and certificates with whatever is wrong with them."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from thorp.net.egress import Guard
from thorp.net.outward import Outward

SECONDS_UNTIL_A_TEST_HANGS = 20


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    connection: int


Answer = bytes | list[bytes] | Callable[[socket.socket], None]


@dataclass
class Remote:
    """One server. `answer` gives the bytes of one answer; b"" hangs up without one."""

    port: int
    host: str
    scheme: str
    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    connections: list[socket.socket] = field(default_factory=list)

    def hang_up(self) -> None:
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def serve(self, connection: socket.socket, number: int, tls: ssl.SSLContext | None) -> None:
        with contextlib.suppress(OSError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                while (asked := read_request(connection, number)) is not None:
                    self.asked.append(asked)
                    answer = self.answer(asked)
                    if callable(answer):
                        answer(connection)
                        return
                    pieces = [answer] if isinstance(answer, bytes) else answer
                    for piece in pieces:
                        connection.sendall(piece)
                    if b"onnection: close" in pieces[0] or not pieces[0]:
                        return
        connection.close()


def read_request(connection: socket.socket, number: int) -> Asked | None:
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return None
        read += more
        if read.startswith(b"\x16"):  # TLS, where plain http is spoken
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return None
    head, _, body = read.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    missing = int(headers.get("content-length", "0")) - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return Asked(method, path, headers, number)


@contextmanager
def remote(
    answer: Callable[[Asked], Answer], *, address: str = "127.0.0.1", host: str = "", tls: ssl.SSLContext | None = None
) -> Iterator[Remote]:
    """A server that lives as long as the test."""
    listening = socket.create_server((address, 0))
    one = Remote(listening.getsockname()[1], host or address, "https" if tls else "http", answer)
    threads: list[threading.Thread] = []

    def accepting() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(SECONDS_UNTIL_A_TEST_HANGS)
                one.connections.append(connection)
                thread = threading.Thread(target=one.serve, args=(connection, len(one.connections), tls))
                threads.append(thread)
                thread.start()

    door = threading.Thread(target=accepting)
    door.start()
    try:
        yield one
    finally:
        one.closing.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        door.join()
        one.hang_up()
        for thread in threads:
            thread.join()
        for connection in one.connections:
            connection.close()


def ok(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def to(location: str, status: int = 302, *headers: str) -> bytes:
    return ok(b"", f"Location: {location}", *headers, status=f"{status} Found")


def names(table: dict[str, tuple[str, ...]]) -> Callable[[str, int], tuple[str, ...]]:
    """A resolver that knows these names, and addresses."""
    return lambda host, port: table.get(host, (host,))


@contextmanager
def outward(*own: str, **options) -> Iterator[Outward]:
    table = options.pop("names", {})
    client = Outward(Guard(lambda: own), names(table), **options)
    try:
        yield client
    finally:
        client.close()


class Authority:
    """Makes certificates for tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        builder = self._builder(self._name, self._name, self._key.public_key(), self._key, days=1)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)

    def server(self, name: str, *, days: int = 1, self_signed: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        issuer, signer = (subject, key) if self_signed else (self._name, self._key)
        builder = self._builder(subject, issuer, key.public_key(), signer, days=days).add_extension(
            names, critical=False
        )
        signed = builder.sign(signer, hashes.SHA256())
        path = self._folder / f"{name}-{days}-{self_signed}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(signed.public_bytes(Encoding.PEM) + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(self, subject, issuer, key, signer, *, days: int) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=10))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
