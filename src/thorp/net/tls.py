"""A certificate of the node's own for its exposed listener, and how that listener speaks TLS.

ECDSA on P-256: browsers refuse Ed25519. Key and certificate are bytes here; who made them keeps them.
"""

import datetime as dt
import hashlib
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS: Final = 820  # some systems refuse a longer life
EARLIER_DAYS: Final = 2  # for clients whose clock is behind
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Certificate:
    certificate: bytes  # PEM
    key: bytes = field(repr=False)  # PEM
    fingerprint: str  # SHA-256 of the certificate, in hex


def make_certificate(names: Sequence[str], now: float) -> Certificate:
    """A self-signed certificate for these host names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _unsigned(names, now, key.public_key()).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(made.public_bytes(Encoding.PEM), pem, made.fingerprint(hashes.SHA256()).hex())


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a certificate, whether PEM or DER."""
    pem = certificate.startswith(b"-----BEGIN")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.decode("ascii")) if pem else certificate).hexdigest()


def expires(certificate: bytes) -> float:
    """When a PEM certificate ends, in seconds since 1970."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    with _as_file(certificate + key) as path:
        context.load_cert_chain(path)
    return context


def _unsigned(names: Sequence[str], now: float, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    today = dt.datetime.fromtimestamp(now, dt.UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Thorp")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=EARLIER_DAYS))
        .not_valid_after(today + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def _as_file(secret: bytes) -> Generator[str]:
    """OpenSSL takes a path only. In memory where the system can; else a file of 0600 that is gone at once."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("thorp-tls")
        try:
            os.write(memory, secret)
            yield f"/proc/self/fd/{memory}"
        finally:
            os.close(memory)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret)
        file.flush()
        yield file.name
