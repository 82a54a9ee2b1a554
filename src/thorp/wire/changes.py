"""What can change on a node while somebody watches. One class per kind; stream and docs take them from here.

A change is told to watchers and forgotten; an *event*, by contrast, is a signed fact in the community's log.
"""

from typing import ClassVar, Literal

from thorp.identity.scopes import Scope
from thorp.wire.capabilities.transfers import TransferRow
from thorp.wire.model import Message


class Change(Message):
    """Something that just changed. `kind` is what a watcher selects by."""

    kind: ClassVar[str]
    scope: ClassVar[Scope] = Scope.NODE_READ  # who may watch it


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


class LibraryChanged(Change):
    kind = "library.changed"
    scope = Scope.MODELS_READ

    what: Literal["added", "removed", "changed"]
    model_ids: tuple[str, ...]


class TransferChanged(TransferRow, Change):
    kind = "transfer.changed"
    scope = Scope.MODELS_READ


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
    LibraryChanged,
    TransferChanged,
    NodeStopping,
)
