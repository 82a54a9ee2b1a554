import pytest

from thorp.identity.keys import BadSignatureError, NodeKey
from thorp.wire.hello import HelloRequest, NotForMeError, sign_hello, verify_hello
from thorp.wire.household import text_of_bytes

ME, YOU, THIRD = (NodeKey(bytes([number]) * 32) for number in (1, 2, 3))
NONCE = text_of_bytes(bytes(32))
HELLO = sign_hello(ME, YOU.node_id, "0" * 32, NONCE, mesh_port=7080, swarm_port=0)


def test_a_greeting_says_who_greets() -> None:
    assert verify_hello(HelloRequest.model_validate_json(HELLO.model_dump_json()), YOU.node_id) == ME.node_id


def test_a_greeting_for_somebody_else_is_refused() -> None:
    with pytest.raises(NotForMeError):
        verify_hello(HELLO, THIRD.node_id)


@pytest.mark.parametrize(
    "change",
    [
        {"recipient": THIRD.node_id},
        {"node": THIRD.node_id},
        {"community": "1" * 32},
        {"nonce": text_of_bytes(bytes([1]) * 32)},
        {"mesh_port": 1},
        {"swarm_port": 1},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_greeting_with_anything_changed_is_refused(change: dict[str, object]) -> None:
    changed = HELLO.model_copy(update=change)

    with pytest.raises(BadSignatureError):
        verify_hello(changed, THIRD.node_id if "recipient" in change else YOU.node_id)


def test_a_signature_made_for_something_else_is_refused() -> None:
    forged = HELLO.model_copy(update={"signature": text_of_bytes(ME.sign("join", b"{}"))})

    with pytest.raises(BadSignatureError):
        verify_hello(forged, YOU.node_id)
