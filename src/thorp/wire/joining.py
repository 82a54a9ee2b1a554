"""How a node joins a household: both sides prove that they know an invite's secret, and the secret itself stays home.

The joiner proves first, over a connection pinned to the inviter's key, and signs the same transcript with its node key.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey, verify
from thorp.wire.canonical import canonical_bytes
from thorp.wire.household import (
    Bytes32,
    Bytes64,
    CommunityId,
    Epoch,
    NodeName,
    NodeText,
    SignedRoster,
    bytes_of_text,
    text_of_bytes,
)
from thorp.wire.model import Message

KIND: Final = "join"
Role = Literal["joiner", "inviter"]
InviteId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class JoinBegin(Message):
    v: Literal[1] = 1
    step: Literal["begin"] = "begin"
    community: CommunityId
    invite: InviteId
    node: NodeText = Field(description="Who wants to join.")
    name: NodeName
    nonce: Bytes32 = Field(description="The joiner's own.")


class JoinChallenge(Message):
    nonce: Bytes32 = Field(description="The inviter's own; good for one try.")


class JoinProof(Message):
    v: Literal[1] = 1
    step: Literal["prove"] = "prove"
    invite: InviteId
    nonce: Bytes32 = Field(description="The inviter's, from the challenge.")
    proof: Bytes32
    signature: Bytes64


class JoinWelcome(Message):
    proof: Bytes32 = Field(description="The inviter's; to be checked before anything else is believed.")
    household: SignedRoster
    epoch: Epoch
    secret: Bytes32


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything both sides have to agree on."""

    community: str
    invite: str
    inviter: NodeId
    joiner: NodeId
    name: str
    inviter_nonce: str
    joiner_nonce: str


def transcript(said: Transcript) -> bytes:
    return canonical_bytes(
        {
            "v": 1,
            "community": said.community,
            "invite": said.invite,
            "inviter": said.inviter,
            "joiner": said.joiner,
            "name": said.name,
            "inviter_nonce": said.inviter_nonce,
            "joiner_nonce": said.joiner_nonce,
        }
    )


def proof(secret: bytes, role: Role, said: Transcript) -> str:
    covered = b"thorp/join-proof/1\0" + role.encode("ascii") + b"\0" + transcript(said)
    return text_of_bytes(hmac.digest(secret, covered, hashlib.sha256))


def is_proof(given: str, secret: bytes, role: Role, said: Transcript) -> bool:
    return hmac.compare_digest(given, proof(secret, role, said))


def sign_transcript(key: NodeKey, said: Transcript) -> str:
    return text_of_bytes(key.sign(KIND, transcript(said)))


def verify_transcript(said: Transcript, signature: str) -> None:
    """Return only when the joiner signed it with its node key."""
    verify(said.joiner, KIND, transcript(said), bytes_of_text(signature))
