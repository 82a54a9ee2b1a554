"""What can change on a node while somebody watches. One class per kind; stream and docs take them from here.

A change is told to watchers and forgotten; an *event*, by contrast, is a signed fact in the community's log.
"""

from typing import ClassVar, Literal

from thorp.wire.model import Message


class Change(Message):
    """Something that just changed. `kind` is what a watcher selects by."""

    kind: ClassVar[str]


class ServiceChanged(Change):
    kind = "service.changed"

    name: str
    state: str
    message: str = ""


class CapabilityChanged(Change):
    kind = "capability.changed"

    id: str
    listed: bool
    reason: str = ""


class ConfigChanged(Change):
    kind = "config.changed"

    keys: tuple[str, ...]
    needs_restart: tuple[str, ...] = ()


class KeysChanged(Change):
    kind = "keys.changed"

    id: str
    what: Literal["created", "revoked"]


class SessionsChanged(Change):
    kind = "sessions.changed"

    ended: tuple[str, ...]


class ExposureChanged(Change):
    kind = "exposure.changed"

    address: str | None


class NodeClaimed(Change):
    kind = "node.claimed"


class NodeStopping(Change):
    kind = "node.stopping"

    reason: str


EVERY_CHANGE: tuple[type[Change], ...] = (
    ServiceChanged,
    CapabilityChanged,
    ConfigChanged,
    KeysChanged,
    SessionsChanged,
    ExposureChanged,
    NodeClaimed,
    NodeStopping,
)
