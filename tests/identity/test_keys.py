import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.identity.ids import BadNodeIdError, NodeId, public_key_of
from thorp.identity.keys import BadSignatureError, NodeKey, signed_bytes, verify

# RFC 8032, section 7.1, test 1: the seed and its public key.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = NodeKey(SEED)
OTHER = NodeKey(bytes(32))
FROZEN = bytes.fromhex(
    "c75f90ab2d6ee610373821d68c0056a276050fdaad3e2593e6c05697d4c10ad7"
    "77504c68e606b5610932c15e6f6e2eae25c3d4b2db5207d9a0fc1927fce49204"
)


def test_a_seed_always_gives_the_same_node() -> None:
    assert public_key_of(KEY.node_id) == PUBLIC


def test_the_signed_bytes_are_frozen() -> None:
    assert signed_bytes("hello", b"data") == b"thorp/hello/1\x00data"


def test_a_signature_is_frozen() -> None:
    assert KEY.sign("hello", b"data") == FROZEN


def test_what_was_signed_verifies() -> None:
    verify(KEY.node_id, "hello", b"data", KEY.sign("hello", b"data"))


@pytest.mark.parametrize(
    ("node_id", "kind", "data"),
    [
        (OTHER.node_id, "hello", b"data"),
        (KEY.node_id, "manifest", b"data"),
        (KEY.node_id, "hello", b"datA"),
        (KEY.node_id, "hello", b""),
    ],
)
def test_a_signature_is_worth_nothing_elsewhere(node_id: NodeId, kind: str, data: bytes) -> None:
    with pytest.raises(BadSignatureError) as caught:
        verify(node_id, kind, data, KEY.sign("hello", b"data"))

    assert (caught.value.code, caught.value.status) == ("identity.bad_signature", 401)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"\0" * 65])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(BadSignatureError):
        verify(KEY.node_id, "hello", b"data", signature)


def test_a_bad_node_id_is_refused_before_anything_is_checked() -> None:
    with pytest.raises(BadNodeIdError):
        verify(NodeId("ed25519:short"), "hello", b"data", KEY.sign("hello", b"data"))


def test_the_seed_does_not_show() -> None:
    assert SEED.hex() not in repr(KEY)
    assert not hasattr(KEY, "__dict__")


@given(st.binary(max_size=200), st.integers(0, 511))
def test_one_changed_bit_breaks_a_signature(data: bytes, bit: int) -> None:
    signature = bytearray(KEY.sign("hello", data))
    signature[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadSignatureError):
        verify(KEY.node_id, "hello", data, bytes(signature))


@given(st.from_regex("[a-z-]{1,12}", fullmatch=True), st.from_regex("[a-z-]{1,12}", fullmatch=True), st.binary())
def test_no_two_kinds_sign_the_same_bytes(one: str, other: str, data: bytes) -> None:
    assert (signed_bytes(one, data) == signed_bytes(other, data)) == (one == other)
