"""Node ids: `ed25519:` and the public key in unpadded base64url."""

import base64
import binascii
from typing import Final, NewType

from thorp.base.errors import UsageError

NodeId = NewType("NodeId", str)

PREFIX: Final = "ed25519:"
KEY_BYTES: Final = 32


class BadNodeIdError(UsageError):
    """A string that is not a node id."""

    code = "identity.bad_node_id"


def node_id_of(public_key: bytes) -> NodeId:
    return NodeId(PREFIX + base64.urlsafe_b64encode(public_key).rstrip(b"=").decode("ascii"))


def public_key_of(text: str) -> bytes:
    """The 32 key bytes of a node id; exactly one spelling is accepted for each key."""
    try:
        raw = base64.urlsafe_b64decode(text.removeprefix(PREFIX) + "=")
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES or node_id_of(raw) != text:
        raise BadNodeIdError(f"`{text[:80]}` is not a node id; one looks like `{PREFIX}` and 43 characters.")
    return raw


def parse_node_id(text: str) -> NodeId:
    return node_id_of(public_key_of(text))
