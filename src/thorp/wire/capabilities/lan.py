"""The household: who is in it, how this node hears the others, and how nodes come in and go."""

from typing import Annotated, Literal

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.wire.capabilities.sharing import LanHeads, LanTorrent, LanTorrentRequest
from thorp.wire.capability import Capability, Example, Idempotent, Limits, Nothing
from thorp.wire.model import Message

MOST_ROWS = 64


class HouseholdRow(Message):
    community: str = Field(description="The household's id.")
    founder: str = Field(description="The node that founded it, and alone lets others in.")
    founder_name: str
    founded_here: bool = Field(description="Whether this node is the founder.")
    version: int = Field(description="Of the roster this node has.")
    epoch: int = Field(description="Which of its secrets the household uses.")
    has_secret: bool = Field(description="Whether this node has that secret; without it, it asks the others for it.")
    members: int


class InterfaceRow(Message):
    name: str
    address: str
    multicast: bool | None = Field(description="Whether multicast works there; null: not known yet.")
    broadcast: bool = Field(description="Whether broadcast is used as well.")
    why: str = Field(description="Why this node is silent there; empty when it is not.")


class HearingRow(Message):
    by: Literal["multicast", "broadcast", "mdns", "none"]
    why: str = Field(description="Why not by the usual way; empty when it is that.")


class PeerRow(Message):
    node: str
    name: str
    this: bool = Field(description="Whether it is the node that answers.")
    founder: bool
    since: str = Field(description="RFC 3339, UTC, by the founder's clock.")
    here: bool = Field(description="Whether it was heard within the last three minutes.")
    address: str | None = None
    mesh_port: int | None = None
    swarm_port: int | None = None
    models: int | None = Field(default=None, description="How many models it shows; null: not known.")
    heard_s: float | None = Field(default=None, description="Seconds since it was heard.")
    by: Literal["packet", "call", "mdns"] | None = None


class LanStatusAnswer(Message):
    node: str
    name: str
    household: HouseholdRow
    heard: HearingRow = Field(description="How the others hear this node.")
    interfaces: Annotated[tuple[InterfaceRow, ...], Field(max_length=MOST_ROWS)]
    neighbours: Annotated[tuple[PeerRow, ...], Field(max_length=MOST_ROWS)] = Field(
        description="Members that are here."
    )
    refused: dict[str, int] = Field(description="Packets that were not believed, by reason, since the start.")
    notice: str = Field(description="What the owner should know; empty: nothing.")


LAN_STATUS = Capability(
    name="lan.status",
    version="1.0",
    summary="Says how this node and its household hear each other, and if not, why.",
    request=Nothing,
    answer=LanStatusAnswer,
    scope=Scope.MESH_READ,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class LanPeersAnswer(Message):
    peers: Annotated[tuple[PeerRow, ...], Field(max_length=MOST_ROWS)]


LAN_PEERS = Capability(
    name="lan.peers",
    version="1.0",
    summary="Lists the members of this household, and which of them are here.",
    request=Nothing,
    answer=LanPeersAnswer,
    scope=Scope.MESH_READ,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class LanInviteRequest(Message):
    hours: Annotated[int, Field(ge=1, le=168)] = Field(default=24, description="How long the invite is good.")


class LanInviteAnswer(Message):
    link: str = Field(description="For one node, shown only now. Whoever has it can join.")
    expires: str = Field(description="RFC 3339, UTC. A restart of this node voids it, too.")
    community: str


LAN_INVITE = Capability(
    name="lan.invite",
    version="1.0",
    summary="Makes an invite that lets one node into this household. Only the founder's node can.",
    request=LanInviteRequest,
    answer=LanInviteAnswer,
)


class LanJoinRequest(Message):
    link: Annotated[str, Field(max_length=4096)]
    yes: bool = Field(default=False, description="Also where this node leaves a household with other members.")


class LanJoinAnswer(Message):
    community: str
    founder: str
    founder_name: str
    members: int
    left: str | None = Field(description="The household this node was in, if it had other members.")


LAN_JOIN = Capability(
    name="lan.join",
    version="1.0",
    summary="Joins the household that an invite belongs to, and leaves the present one.",
    request=LanJoinRequest,
    answer=LanJoinAnswer,
    limits=Limits(seconds=120, concurrent=1),
)


class LanRemoveRequest(Message):
    node: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The member's id, the beginning of it, or its name where only one has that."
    )


class LanRemoveAnswer(Message):
    node: str
    name: str
    epoch: int = Field(description="Of the new secret that the others get.")


LAN_REMOVE = Capability(
    name="lan.remove",
    version="1.0",
    summary="Takes a node out of this household at once and gives the others a new secret; for the founder's node.",
    request=LanRemoveRequest,
    answer=LanRemoveAnswer,
)

LAN_HEADS = Capability(
    name="lan.heads",
    version="1.0",
    summary="Lists the models that the neighbours show. For models alone.",
    request=Nothing,
    answer=LanHeads,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=60, concurrent=16),
)

LAN_TORRENT = Capability(
    name="lan.torrent",
    version="1.0",
    summary="Gets the torrent of an infohash from a neighbour that has it. For models alone.",
    request=LanTorrentRequest,
    answer=LanTorrent,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=120, concurrent=16),
)
