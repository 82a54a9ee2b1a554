"""The roster of a household: who belongs to it, signed by who founded it, whoever carries it.

A roster also names the digest of the secret that goes with it, so that a wrong secret is recognised at once.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Final, Literal

from pydantic import Field

from thorp.base.errors import IntegrityError, ThorpError
from thorp.identity.ids import NodeId, parse_node_id
from thorp.identity.keys import NodeKey, verify
from thorp.wire.announce import LanKey
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER, canonical_bytes
from thorp.wire.model import Message

KIND: Final = "roster"
MOST_MEMBERS: Final = 64
MOST_REMOVED: Final = 256
LONGEST_NAME: Final = 64
END_OF_TIME: Final = 253_402_300_799  # the last second that RFC 3339 can write
LARGEST_EPOCH: Final = 2**32 - 1

NodeText = Annotated[str, Field(pattern=r"^ed25519:[A-Za-z0-9_-]{43}$")]
CommunityId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# Ranges, not the tables of a Python: every node has to judge a roster alike. What a reader does not see, or what turns
# the direction of writing, would let a member look like another.
_UNSEEN: Final = r"\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
NodeName = Annotated[str, Field(pattern=rf"^[^\x00-\x1f\x7f-\x9f{_UNSEEN}]{{1,64}}$")]
Epoch = Annotated[int, Field(ge=1, le=LARGEST_EPOCH)]
Bytes32 = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]  # base64url, unpadded
Bytes64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{86}$")]


class BadRosterError(IntegrityError):
    """A roster that its founder did not sign as it is, or that contradicts itself."""

    code = "household.bad_roster"
    fault = "invalid_signature"


class BadTextError(IntegrityError):
    """Bytes that do not come in their one spelling."""

    code = "household.bad_text"


class Member(Message):
    node: NodeText
    name: NodeName
    since: Annotated[int, Field(ge=0, le=END_OF_TIME)] = Field(description="Unix seconds by the founder's clock.")


class Roster(Message):
    v: Literal[1] = 1
    community: CommunityId
    founder: NodeText
    version: Annotated[int, Field(ge=1, le=LARGEST_WHOLE_NUMBER)]
    epoch: Epoch
    lan: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="The digest of this epoch's secret.")
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    removed: Annotated[tuple[NodeText, ...], Field(max_length=MOST_REMOVED)] = ()

    @property
    def nodes(self) -> frozenset[NodeId]:
        return frozenset(NodeId(one.node) for one in self.members)


class SignedRoster(Message):
    roster: Roster
    signature: Bytes64


class HouseholdAnswer(Message):
    """What `GET /mesh/v1/household` answers to a member. Without a secret when the asked node lacks it itself."""

    household: SignedRoster
    epoch: Epoch | None = None
    secret: Bytes32 | None = None


def fit_name(text: str) -> str:
    """A node's name as a roster can carry it: no control characters, and not too long."""
    return "".join(one for one in text if one.isprintable()).strip()[:LONGEST_NAME] or "node"


def text_of_bytes(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def bytes_of_text(text: str) -> bytes:
    """The bytes of unpadded base64url; exactly one spelling is accepted for each."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if text_of_bytes(data) != text:
        raise BadTextError("Some bytes are not written as base64url without padding.")
    return data


def secret_digest(lan: LanKey) -> str:
    """What a roster says about its secret."""
    return hashlib.sha256(b"thorp/lan-secret/1\0" + lan.epoch.to_bytes(4, "big") + lan.secret).hexdigest()


def sign_roster(roster: Roster, key: NodeKey) -> SignedRoster:
    return SignedRoster(roster=roster, signature=text_of_bytes(key.sign(KIND, roster_bytes(roster))))


def roster_bytes(roster: Roster) -> bytes:
    return canonical_bytes(roster.model_dump(mode="json"))


def verify_roster(signed: SignedRoster) -> Roster:
    """The roster, if the founder it names signed it and it makes sense. Whether that one is ours is not asked here."""
    roster = signed.roster
    try:
        verify(NodeId(roster.founder), KIND, roster_bytes(roster), bytes_of_text(signed.signature))
        for node in (*roster.nodes, *roster.removed):
            parse_node_id(node)
    except ThorpError:
        raise BadRosterError("A roster is refused: it is not signed by the founder it names.") from None
    if trouble := _contradiction(roster):
        raise BadRosterError(f"A roster is refused, though it is signed: {trouble}.")
    return roster


def _contradiction(roster: Roster) -> str:
    if len(roster.nodes) != len(roster.members):
        return "it lists a member twice"
    if roster.founder not in roster.nodes:
        return "its founder is not in it"
    if roster.nodes & set(roster.removed):
        return "it lists a node as member and as removed"
    return ""
