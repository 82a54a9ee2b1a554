"""How a member says who it is over a connection that is pinned to whom it speaks with.

The signature names the recipient and a nonce of the recipient's own, so that it is worth nothing elsewhere or later.
"""

from typing import Annotated, Final, Literal, TypedDict, Unpack

from pydantic import Field

from thorp.base.errors import UsageError
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey, verify
from thorp.wire.announce import Port
from thorp.wire.canonical import canonical_bytes
from thorp.wire.household import Bytes32, Bytes64, CommunityId, Epoch, NodeText, bytes_of_text, text_of_bytes
from thorp.wire.model import Message

KIND: Final = "hello"
NONCE_SECONDS: Final = 300.0
SESSION_SECONDS: Final = 3600


class NotForMeError(UsageError):
    """A greeting that is meant for another node."""

    code = "hello.not_for_me"


class HelloNonce(Message):
    nonce: Bytes32


class HelloRequest(Message):
    v: Literal[1] = 1
    node: NodeText
    recipient: NodeText
    community: CommunityId
    nonce: Bytes32 = Field(description="The recipient's own, from `GET /mesh/v1/hello`.")
    mesh_port: Port = Field(description="Where the sender's mesh listener is; 0: nowhere.")
    swarm_port: Port = Field(description="Where the sender's BitTorrent is; 0: nowhere.")
    signature: Bytes64


class HelloAnswer(Message):
    token: Bytes32
    seconds: Annotated[int, Field(ge=1, le=SESSION_SECONDS)] = Field(description="How long the token is good.")
    version: Annotated[int, Field(ge=1)] = Field(description="Of the roster that the recipient has.")
    epoch: Epoch = Field(description="Of that roster.")
    swarm_port: Port


def hello_bytes(request: HelloRequest) -> bytes:
    """What the signature covers: everything but itself."""
    return canonical_bytes(request.model_dump(mode="json", exclude={"signature"}))


class OwnPorts(TypedDict):
    """Where the one who greets is reached; 0: nowhere."""

    mesh_port: int
    swarm_port: int


def sign_hello(key: NodeKey, recipient: NodeId, community: str, nonce: str, **ports: Unpack[OwnPorts]) -> HelloRequest:
    bare = HelloRequest(
        node=key.node_id,
        recipient=recipient,
        community=community,
        nonce=nonce,
        signature=text_of_bytes(bytes(64)),
        **ports,
    )
    return bare.model_copy(update={"signature": text_of_bytes(key.sign(KIND, hello_bytes(bare)))})


def verify_hello(request: HelloRequest, recipient: NodeId) -> NodeId:
    """Who greets, if they do and if it is meant for `recipient`. The nonce is the caller's part."""
    if request.recipient != recipient:
        raise NotForMeError("A greeting was meant for another node.")
    node = NodeId(request.node)
    verify(node, KIND, hello_bytes(request), bytes_of_text(request.signature))
    return node
