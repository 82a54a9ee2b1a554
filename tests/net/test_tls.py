import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from thorp.base.clock import SystemClock
from thorp.net.tls import VALID_DAYS, expires, fingerprint_of, make_certificate, server_context

NOW = 1_750_000_000.0
NAMES = ("attic", "attic.local", "192.0.2.7", "fd00::7", "localhost")


@pytest.fixture(scope="module")
def made():
    return make_certificate(NAMES, NOW)


def test_it_names_every_host_and_address(made):
    certificate = x509.load_pem_x509_certificate(made.certificate)
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert named.get_values_for_type(x509.DNSName) == ["attic", "attic.local", "localhost"]
    assert named.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.7"),
        ipaddress.ip_address("fd00::7"),
    ]


def test_it_is_a_server_certificate_that_browsers_take(made):
    certificate = x509.load_pem_x509_certificate(made.certificate)
    extensions = certificate.extensions
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    certificate.verify_directly_issued_by(certificate)


def test_it_lives_for_a_known_time(made):
    certificate = x509.load_pem_x509_certificate(made.certificate)
    assert certificate.not_valid_before_utc.timestamp() < NOW
    assert expires(made.certificate) == NOW + VALID_DAYS * 86_400


def test_two_certificates_differ(made):
    assert make_certificate(NAMES, NOW).fingerprint != made.fingerprint


def test_the_fingerprint_is_the_same_for_both_encodings(made):
    der = ssl.PEM_cert_to_DER_cert(made.certificate.decode())
    assert fingerprint_of(made.certificate) == fingerprint_of(der) == made.fingerprint
    assert len(made.fingerprint) == 64


def test_the_key_is_not_shown(made):
    assert "PRIVATE" not in repr(made)


def handshake(server, client, name="attic.local"):
    """Both sides of TLS in memory."""
    wires = [ssl.MemoryBIO() for _ in range(2)]
    ends = [
        client.wrap_bio(wires[0], wires[1], server_hostname=name),
        server.wrap_bio(wires[1], wires[0], server_side=True),
    ]
    waiting = list(ends)
    for _ in range(10):
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    return ends


def client_context(made, **options):
    context = ssl.create_default_context(cadata=made.certificate.decode())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for name, value in options.items():
        setattr(context, name, value)
    return context


def test_a_client_that_knows_the_certificate_trusts_the_server():
    made = make_certificate(NAMES, SystemClock().wall())  # OpenSSL looks at the real clock
    server = server_context(made.certificate, made.key)
    client = client_context(made)
    client.set_alpn_protocols(["h2", "http/1.1"])
    ends = handshake(server, client)
    assert ends[0].version() == "TLSv1.3"
    assert ends[0].selected_alpn_protocol() == "http/1.1"
    old = handshake(server, client_context(made, maximum_version=ssl.TLSVersion.TLSv1_2))
    assert old[0].version() == "TLSv1.2"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client_context(made), name="evil.example")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_tls_is_not_spoken(made):
    client = client_context(made, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        handshake(server_context(made.certificate, made.key), client)
