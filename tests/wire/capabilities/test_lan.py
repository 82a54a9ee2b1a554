import orjson
import pytest
from pydantic import ValidationError

from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.wire.capabilities import lan

OWNERS = (lan.LAN_INVITE, lan.LAN_JOIN, lan.LAN_REMOVE, lan.LAN_HEADS, lan.LAN_TORRENT)
READ = (lan.LAN_STATUS, lan.LAN_PEERS)


@pytest.mark.parametrize("capability", OWNERS, ids=lambda one: one.id)
def test_who_belongs_to_a_household_is_the_owners_alone(capability) -> None:
    assert (capability.trust, capability.scope, capability.mesh) == (Trust.OWNER, None, False)


@pytest.mark.parametrize("capability", READ, ids=lambda one: one.id)
def test_a_key_may_look_and_no_other_node(capability) -> None:
    assert (capability.trust, capability.scope, capability.mesh) == (Trust.OWNER, Scope.MESH_READ, False)


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (lan.LanInviteRequest, {"hours": 0}),
        (lan.LanInviteRequest, {"hours": 169}),
        (lan.LanJoinRequest, {}),
        (lan.LanJoinRequest, {"link": "x" * 4097}),
        (lan.LanRemoveRequest, {"node": ""}),
    ],
)
def test_what_is_not_a_request_is_refused(message, body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        message.model_validate_json(orjson.dumps(body))
