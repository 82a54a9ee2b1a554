"""TLS between nodes: the certificate is the node's own Ed25519 key in another dress, and nothing else in it counts.

No authority, name or date is looked at. Who asks compares the key with the node it means, before it says a word.
"""

import datetime as dt
import ssl
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from thorp.base.errors import IntegrityError
from thorp.identity.ids import NodeId, node_id_of
from thorp.net.tls import Certificate, server_context

LARGEST_CERTIFICATE: Final = 4096  # ours has about 300 bytes
_ALWAYS: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_NAME: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Thorp")])


class NoNodeCertificateError(IntegrityError):
    """A certificate that is not that of a node."""

    code = "net.no_node_certificate"


def node_certificate(seed: bytes) -> Certificate:
    """The certificate of the node with this key; the same one every time. It names nobody and never ends."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    made = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_ALWAYS[0])
        .not_valid_after(_ALWAYS[1])
        .sign(key, None)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate(made.public_bytes(Encoding.PEM), pem, made.fingerprint(hashes.SHA256()).hex())


def mesh_server_context(certificate: Certificate) -> ssl.SSLContext:
    """How the mesh listener speaks: TLS 1.3 and nothing older, no resumed sessions."""
    context = server_context(certificate.certificate, certificate.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    return context


def mesh_client_context() -> ssl.SSLContext:
    """How a node asks another.

    The other side proves that it holds the key it shows; whether it is the right key, the caller has to compare.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    return context


def node_id_of_certificate(der: bytes) -> NodeId:
    """Whose key a certificate holds. Refuses every key that is not Ed25519."""
    key: object = None
    if 0 < len(der) <= LARGEST_CERTIFICATE:
        try:
            key = x509.load_der_x509_certificate(der).public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
    if not isinstance(key, Ed25519PublicKey):
        raise NoNodeCertificateError("The other side shows a certificate that is not one of a node.")
    return node_id_of(key.public_bytes_raw())
