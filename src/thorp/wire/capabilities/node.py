"""What a machine says about itself, and how its owner stops it."""

from typing import Annotated, Literal

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.wire.capability import Capability, Example, Idempotent, Limits, Nothing
from thorp.wire.model import Message


class InfoAnswer(Message):
    """Who this node is."""

    id: str = Field(description="The node id: `ed25519:` and the public key.")
    name: str
    version: str
    protocol: int = Field(description="Major version of the mesh protocol.")


NODE_INFO = Capability(
    name="node.info",
    version="1.0",
    summary="Says who this node is.",
    request=Nothing,
    answer=InfoAnswer,
    trust=Trust.MEMBER,
    scope=Scope.NODE_READ,
    mesh=True,
    idempotent=Idempotent.YES,
    examples=(Example(input={}, says="Who are you?"),),
)


class EchoRequest(Message):
    text: Annotated[str, Field(max_length=65_536)] = Field(description="What to say back.")
    pause_ms: Annotated[int, Field(ge=0, le=10_000)] = Field(default=0, description="Pause before each word.")


class EchoFrame(Message):
    word: str


class EchoAnswer(Message):
    text: str
    words: int


NODE_ECHO = Capability(
    name="node.echo",
    version="1.0",
    summary="Says back what it is told, word by word. For trying out a connection.",
    request=EchoRequest,
    frames=EchoFrame,
    answer=EchoAnswer,
    trust=Trust.MEMBER,
    scope=Scope.NODE_READ,
    mesh=True,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=600, concurrent=64, input_bytes=128 * 1024),
    examples=(
        Example(input={"text": "good morning"}, answer={"text": "good morning", "words": 2}, says="Say it back."),
    ),
)


class CapabilityRow(Message):
    id: str
    name: str
    version: str
    summary: str
    trust: str = Field(description="The lowest trust level of a node that may call it.")
    scope: str | None = Field(description="The scope a key needs; null: no key may call it.")
    mesh: bool = Field(description="Whether other nodes may call it at all.")
    idempotent: str
    streamed: bool
    schema_hash: str = Field(description="BLAKE3 of the canonical schema; equal hash means same contract.")
    listed: bool
    reason: str = Field(description="Why it is not listed; empty when it is.")


class CapabilitiesAnswer(Message):
    capabilities: tuple[CapabilityRow, ...]


NODE_CAPABILITIES = Capability(
    name="node.capabilities",
    version="1.0",
    summary="Lists what this node can do, and what it cannot do and why.",
    request=Nothing,
    answer=CapabilitiesAnswer,
    trust=Trust.MEMBER,
    scope=Scope.NODE_READ,
    mesh=True,
    idempotent=Idempotent.YES,
    examples=(Example(input={}, says="What can you do?"),),
)


class NodeRow(Message):
    id: str
    name: str
    version: str
    state: Literal["starting", "running", "stopping"]
    started: str = Field(description="RFC 3339, UTC.")
    uptime_s: float
    pid: int


class ListenerRow(Message):
    kind: Literal["local", "socket", "exposed", "mesh", "tracker"]
    address: str
    state: Literal["open", "closed"]
    reach: str = Field(description="Who can reach it, in words.")
    fingerprint: str | None = Field(default=None, description="SHA-256 of its certificate, where it speaks TLS.")


class ServiceRow(Message):
    name: str
    state: str
    since: str = Field(description="RFC 3339, UTC.")
    message: str


class ListingRow(Message):
    id: str
    summary: str
    listed: bool
    reason: str


class MemoryRow(Message):
    resident_bytes: int | None = Field(description="null: unknown.")


class DiskRow(Message):
    free_bytes: int | None = Field(description="null: unknown.")
    total_bytes: int | None = Field(description="null: unknown.")


class ConfigRow(Message):
    needs_restart: tuple[str, ...] = Field(description="Settings changed since the start that apply at the next one.")


class BusyRow(Message):
    transfers: int = Field(description="Models on their way here, waiting ones included.")
    peers: int = Field(description="Members of the household that are here.")


class StatusAnswer(Message):
    """How this node is doing."""

    node: NodeRow
    claimed: bool
    listeners: tuple[ListenerRow, ...]
    services: tuple[ServiceRow, ...]
    capabilities: tuple[ListingRow, ...]
    memory: MemoryRow
    disk: DiskRow
    config: ConfigRow
    busy: BusyRow
    stopped_cleanly: bool | None = Field(description="Whether the last run ended in order; null: first run.")


NODE_STATUS = Capability(
    name="node.status",
    version="1.0",
    summary="Says how this node is doing: listeners, services, capabilities, memory, disk.",
    request=Nothing,
    answer=StatusAnswer,
    scope=Scope.NODE_READ,
    idempotent=Idempotent.YES,
    examples=(Example(input={}, says="How are you?"),),
)


class StopAnswer(Message):
    stopping: bool


NODE_STOP = Capability(
    name="node.stop",
    version="1.0",
    summary="Stops this node in order: no new work, running work finished or ended with a reason.",
    request=Nothing,
    answer=StopAnswer,
    idempotent=Idempotent.YES,
)
