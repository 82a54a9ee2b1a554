import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.net.test_tls import handshake
from thorp.identity.keys import NodeKey
from thorp.net.mesh_tls import (
    LARGEST_CERTIFICATE,
    NoNodeCertificateError,
    mesh_client_context,
    mesh_server_context,
    node_certificate,
    node_id_of_certificate,
)
from thorp.net.tls import make_certificate, server_context

SEED = bytes(range(32))


@pytest.fixture(scope="module")
def made():
    return node_certificate(SEED)


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.certificate.decode())


def test_the_certificate_is_the_nodes_key(made):
    assert node_id_of_certificate(der(made)) == NodeKey(SEED).node_id
    assert node_id_of_certificate(der(node_certificate(bytes(32)))) != NodeKey(SEED).node_id


def test_it_is_the_same_every_time_and_names_nobody(made):
    assert node_certificate(SEED) == made
    certificate = x509.load_pem_x509_certificate(made.certificate)
    assert (certificate.not_valid_before_utc.year, certificate.not_valid_after_utc.year) == (1970, 9999)
    assert [name.value for name in certificate.subject] == ["Thorp"]
    assert not list(certificate.extensions)
    certificate.verify_directly_issued_by(certificate)


def test_the_key_is_not_shown(made):
    assert "PRIVATE" not in repr(made)


def test_both_sides_speak_tls_1_3_and_the_client_sees_the_key(made):
    ends = handshake(mesh_server_context(made), mesh_client_context())

    assert [end.version() for end in ends] == ["TLSv1.3"] * 2
    assert ends[0].selected_alpn_protocol() == "http/1.1"
    assert node_id_of_certificate(ends[0].getpeercert(binary_form=True)) == NodeKey(SEED).node_id


def test_older_tls_is_spoken_by_neither(made):
    old = mesh_client_context()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(mesh_server_context(made), old)
    older = make_certificate(("a.example",), 1_750_000_000.0)
    server = server_context(older.certificate, older.key)
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(server, mesh_client_context())


def signed(key):
    name, when = x509.Name([]), x509.load_pem_x509_certificate(node_certificate(SEED).certificate)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(when.not_valid_before_utc)
    builder = builder.not_valid_after(when.not_valid_after_utc)
    algorithm = None if isinstance(key, ed448.Ed448PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        ed448.Ed448PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["ecdsa", "ed448", "rsa"],
)
def test_every_other_kind_of_key_is_refused(make):
    with pytest.raises(NoNodeCertificateError):
        node_id_of_certificate(signed(make()))


@pytest.mark.parametrize("cut", [0, 1, 20, 100, -1])
def test_what_is_no_certificate_is_refused(made, cut):
    with pytest.raises(NoNodeCertificateError):
        node_id_of_certificate(der(made)[:cut])


def test_a_certificate_larger_than_any_is_refused(made):
    with pytest.raises(NoNodeCertificateError):
        node_id_of_certificate(der(made) + bytes(LARGEST_CERTIFICATE))
