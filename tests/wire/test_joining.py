from dataclasses import replace

import pytest

from thorp.identity.keys import BadSignatureError, NodeKey
from thorp.wire.household import text_of_bytes
from thorp.wire.joining import Transcript, is_proof, proof, sign_transcript, transcript, verify_transcript

INVITER, JOINER = NodeKey(bytes([1]) * 32), NodeKey(bytes([2]) * 32)
SECRET = bytes(range(16))
SAID = Transcript(
    "0" * 32,
    "1" * 32,
    INVITER.node_id,
    JOINER.node_id,
    "cellar",
    text_of_bytes(bytes([3]) * 32),
    text_of_bytes(bytes([4]) * 32),
)
CHANGES = [
    {"community": "f" * 32},
    {"invite": "f" * 32},
    {"inviter": JOINER.node_id},
    {"joiner": INVITER.node_id},
    {"name": "attic"},
    {"inviter_nonce": SAID.joiner_nonce},
    {"joiner_nonce": SAID.inviter_nonce},
]


def test_both_sides_prove_the_same_secret_in_their_own_way() -> None:
    assert is_proof(proof(SECRET, "joiner", SAID), SECRET, "joiner", SAID)
    assert proof(SECRET, "joiner", SAID) != proof(SECRET, "inviter", SAID)


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: next(iter(one)))
def test_a_proof_holds_for_one_exchange_only(change: dict[str, str]) -> None:
    assert not is_proof(proof(SECRET, "joiner", SAID), SECRET, "joiner", replace(SAID, **change))


def test_another_secret_proves_nothing() -> None:
    assert not is_proof(proof(bytes(16), "joiner", SAID), SECRET, "joiner", SAID)


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: next(iter(one)))
def test_a_signature_holds_for_one_exchange_only(change: dict[str, str]) -> None:
    signature = sign_transcript(JOINER, SAID)
    verify_transcript(SAID, signature)

    with pytest.raises(BadSignatureError):
        verify_transcript(replace(SAID, **change), signature)


def test_the_secret_is_not_in_what_both_agree_on() -> None:
    assert SECRET.hex().encode() not in transcript(SAID)
    assert text_of_bytes(SECRET).encode() not in transcript(SAID)
