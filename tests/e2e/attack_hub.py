"""Servers that stand beside the hub and write down whatever reaches them: in plain HTTP, and behind TLS."""

import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HANDSHAKE: Final = 0x16  # how a connection begins that wants TLS
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Recorder:
    """Listens on every address of this machine, both families, and answers each request in the same way."""

    answer: bytes = NOT_FOUND
    tls: ssl.SSLContext | None = None
    port: int = 0
    first: list[bytes] = field(default_factory=list[bytes])  # how each connection began
    heads: list[bytes] = field(default_factory=list[bytes])  # of requests that could be read

    def serve(self, server: socket.socket) -> None:
        while True:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            with raw, suppress(OSError):
                raw.settimeout(10)
                self.first.append(raw.recv(5, socket.MSG_PEEK))
                line = self.tls.wrap_socket(raw, server_side=True) if self.tls else raw
                with line:
                    self.heads.append(line.recv(65_536))
                    line.sendall(self.answer)

    def forget(self) -> None:
        self.first.clear()
        self.heads.clear()


@contextmanager
def recording(answer: bytes = NOT_FOUND, tls: ssl.SSLContext | None = None) -> Generator[Recorder]:
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    recorder = Recorder(answer, tls, server.getsockname()[1])
    thread = threading.Thread(target=recorder.serve, args=(server,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def redirecting(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@dataclass(frozen=True)
class Authority:
    """A certificate authority that only a test trusts."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def server(self, name: str, host: str, *, days: int = 30, by_itself: bool = False) -> ssl.SSLContext:
        """A server that shows a certificate for `host`, which ends in so many days."""
        key, certificate = made(host, days, None if by_itself else (self._key, self._certificate))
        pem = self.folder / f"{name}.pem"
        pem.write_bytes(private(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    @property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        found = serialization.load_pem_private_key((self.folder / "authority.key").read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found

    @property
    def _certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.file.read_bytes())


def authority(folder: Path) -> Authority:
    key, certificate = made("A test's authority", 30, None, is_authority=True)
    (folder / "authority.key").write_bytes(private(key))
    (folder / "authority.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(folder)


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())


def made(
    host: str,
    days: int,
    by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None,
    *,
    is_authority: bool = False,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    end = datetime.now(UTC) + timedelta(days=days)
    signer, issuer = (by[0], by[1].subject) if by else (key, name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_authority:
        kind = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        builder = builder.add_extension(x509.SubjectAlternativeName([kind]), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return key, builder.sign(signer, hashes.SHA256())
