import orjson
import pytest
from pydantic import ValidationError

from thorp.identity.trust import Trust
from thorp.wire.capabilities.sessions import SESSIONS_END, SESSIONS_LIST, SessionRow, SessionsEnd
from thorp.wire.capability import Idempotent


@pytest.mark.parametrize("capability", [SESSIONS_LIST, SESSIONS_END], ids=lambda one: one.id)
def test_sessions_are_the_owners_alone_and_no_key_reaches_them(capability) -> None:
    assert (capability.trust, capability.scope, capability.mesh) == (Trust.OWNER, None, False)
    assert capability.frames is None
    assert capability.idempotent is Idempotent.YES


def test_a_request_as_it_comes_over_the_wire() -> None:
    assert SessionsEnd.model_validate_json(b'{"id": "s4q7m2x9a"}') == SessionsEnd(id="s4q7m2x9a", others=False)
    assert SessionsEnd.model_validate_json(b'{"id": null, "others": true}') == SessionsEnd(id=None, others=True)


@pytest.mark.parametrize(
    "body", [{"id": 7}, {"id": "s" * 65}, {"ids": ["s4q7m2x9a"]}, {"others": 1}, {"others": "true"}, {"others": None}]
)
def test_what_is_not_a_request_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SessionsEnd.model_validate_json(orjson.dumps(body))


def test_a_listed_session_has_no_place_for_a_secret() -> None:
    assert set(SessionRow.model_fields) == {"id", "created", "expires", "this"}


def test_the_examples_are_requests() -> None:
    for example in SESSIONS_LIST.examples:
        SESSIONS_LIST.request.model_validate_json(orjson.dumps(example.input))
