import orjson
import pytest
from pydantic import ValidationError

from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.wire.capabilities.keys import (
    KEYS_CREATE,
    KEYS_LIST,
    KEYS_REVOKE,
    KeyId,
    KeyRequest,
    KeyRow,
    NewKeyAnswer,
)
from thorp.wire.capability import Idempotent


@pytest.mark.parametrize("capability", [KEYS_CREATE, KEYS_LIST, KEYS_REVOKE], ids=lambda one: one.id)
def test_keys_are_the_owners_matter_and_never_the_meshs(capability) -> None:
    assert (capability.trust, capability.scope, capability.mesh) == (Trust.OWNER, Scope.KEYS_WRITE, False)
    assert capability.frames is None


def test_making_a_key_twice_makes_two() -> None:
    assert KEYS_CREATE.idempotent is Idempotent.NO
    assert KEYS_LIST.idempotent is KEYS_REVOKE.idempotent is Idempotent.YES


def test_a_request_as_it_comes_over_the_wire() -> None:
    request = KeyRequest.model_validate_json(
        b'{"name": "laptop", "scopes": ["inference"], "models": ["a"], "rpm": 60, "expires": "2030-01-01T00:00:00Z"}'
    )

    assert request == KeyRequest(
        name="laptop", scopes=("inference",), models=("a",), rpm=60, expires="2030-01-01T00:00:00Z"
    )


def test_a_name_is_enough() -> None:
    request = KeyRequest.model_validate_json(b'{"name": "laptop"}')

    assert (request.scopes, request.models, request.rpm, request.expires) == (("inference",), (), None, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": 7},
        {"name": "x" * 65},
        {"name": "a", "scopes": ["inference"] * 33},
        {"name": "a", "models": ["m"] * 257},
        {"name": "a", "models": [""]},
        {"name": "a", "models": ["m" * 257]},
        {"name": "a", "rpm": "60"},
        {"name": "a", "rpm": 1.5},
        {"name": "a", "rpm": True},
        {"name": "a", "expires": 1_900_000_000},
        {"name": "a", "expires": "2" * 65},
        {"name": "a", "owner": True},
    ],
)
def test_what_is_not_a_request_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KeyRequest.model_validate_json(orjson.dumps(body))


def test_an_answer_comes_back_from_the_wire_as_it_went() -> None:
    answer = NewKeyAnswer(
        id="k0123abcd",
        key="thorp_k0123abcd_x",
        name="laptop",
        scopes=(Scope.INFERENCE,),
        models=(),
        rpm=None,
        created="2030-01-01T00:00:00.000Z",
        expires=None,
        made_by="k0000000a",
    )

    assert NewKeyAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_a_listed_key_has_no_place_for_a_secret() -> None:
    assert set(KeyRow.model_fields) == {
        "id", "name", "scopes", "models", "rpm", "created", "expires", "revoked", "made_by"
    }  # fmt: skip


def test_the_examples_are_requests() -> None:
    for capability in (KEYS_CREATE, KEYS_LIST, KEYS_REVOKE):
        for example in capability.examples:
            capability.request.model_validate_json(orjson.dumps(example.input))


def test_an_id_is_bounded() -> None:
    with pytest.raises(ValidationError):
        KeyId(id="k" * 65)
