"""The node's own key: Ed25519, for signing only, never converted for encryption.

Every signature covers `thorp/<kind>/1` and a zero byte before the data, so that a signature made for one purpose is
worth nothing for another.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from thorp.base.errors import IntegrityError
from thorp.identity.ids import NodeId, node_id_of, public_key_of


class BadSignatureError(IntegrityError):
    """A signature that does not belong to these bytes and this key."""

    code = "identity.bad_signature"
    fault = "invalid_signature"
    status = 401


def signed_bytes(kind: str, data: bytes) -> bytes:
    return b"thorp/" + kind.encode("ascii") + b"/1\0" + data


class NodeKey:
    """Holds the private key of this node."""

    __slots__ = ("_key", "node_id")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.node_id: NodeId = node_id_of(self._key.public_key().public_bytes_raw())

    def sign(self, kind: str, data: bytes) -> bytes:
        return self._key.sign(signed_bytes(kind, data))


def verify(node_id: NodeId, kind: str, data: bytes, signature: bytes) -> None:
    """Return only when `node_id` signed `data` for `kind`."""
    public = Ed25519PublicKey.from_public_bytes(public_key_of(node_id))
    try:
        public.verify(signature, signed_bytes(kind, data))
    except InvalidSignature:
        raise BadSignatureError(f"The signature is not one of {node_id} over this {kind}.") from None
