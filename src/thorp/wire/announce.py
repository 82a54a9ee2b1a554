"""The packet by which the nodes of a household hear of each other: one sealed UDP datagram, signed by who sends it.

Whoever has the household's secret can read it, and nobody else learns more than that it is there. Nothing in it is
taken before seal and signature are proven, and what is too long, of another form or another epoch is refused with a
reason.
"""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AfterValidator, Field, ValidationError

from thorp.base.errors import IntegrityError, UsageError
from thorp.identity.ids import BadNodeIdError, NodeId, parse_node_id
from thorp.identity.keys import BadSignatureError, NodeKey, verify
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER, canonical_bytes
from thorp.wire.model import Message, misfits

GROUP: Final = "239.192.42.1"
PORT: Final = 4269
LARGEST: Final = 1200  # bytes of a whole datagram: no network cuts it in two
SIGNED_AS: Final = "announce"
FORM: Final = 1
MOST_ADDRESSES: Final = 8
MOST_HEADS: Final = 2
MOST_MODELS: Final = 5000
LONGEST_TTL: Final = 600  # seconds
SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 12

_MAGIC: Final = b"THRP"
_HEADER: Final = struct.Struct(">4sBI12s")
_SIGNATURE: Final = 64
_PACKET_INFO: Final = b"thorp/announce/1"
_TAG_INFO: Final = b"thorp/mdns/1"
_TAG_BYTES: Final = 8


class Refusal(StrEnum):
    """Why a packet was not taken. The words are shown to people, with how often it happened."""

    FLOOD = "flood"  # more than one source, or all of them together, may send
    OFF_SUBNET = "off_subnet"  # from an address that is on none of the chosen networks
    TOO_LONG = "too_long"
    NOT_OURS = "not_ours"  # something else speaks on this port
    VERSION = "version"
    OLDER_EPOCH = "older_epoch"
    NEWER_EPOCH = "newer_epoch"
    SEAL = "seal"  # forged, altered, or of another household
    FORM = "form"
    SIGNATURE = "signature"
    TWIN = "twin"  # our own key speaks from another start
    STRANGER = "stranger"  # has the secret, and is in no roster we know
    REMOVED = "removed"
    WRONG_ADDRESS = "wrong_address"  # sent from where its signer does not live
    REPLAYED = "replayed"
    FULL = "full"


class PacketRefusedError(IntegrityError):
    """A packet that is not taken. Nobody is told but this node's owner, who sees it counted."""

    code = "announce.refused"

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"A packet from the network was not taken: {reason}.")
        self.reason = reason


class BadAnnouncementError(UsageError):
    """Something this node was about to announce and that no other node would take."""

    code = "announce.bad"


@dataclass(frozen=True)
class LanKey:
    """The secret of a household in one epoch. What is derived from it is worked out once."""

    epoch: int
    secret: bytes = field(repr=False)

    @cached_property
    def box(self) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self._derived(_PACKET_INFO, SECRET_BYTES))

    @cached_property
    def tag(self) -> str:
        """What the household calls itself in mDNS during this epoch; nobody else can tell whose it is."""
        return self._derived(_TAG_INFO, _TAG_BYTES).hex()

    def _derived(self, info: bytes, length: int) -> bytes:
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(self.secret)


@dataclass(frozen=True, slots=True)
class Head:
    """One model in short: enough to see that a neighbour has the bytes one is about to fetch."""

    model_id: str
    revision: str
    infohash: str | None
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a node says of itself. Ports are 0 and the digest is empty where there is nothing to reach or to list."""

    node: NodeId
    boot: str  # another one after each start
    seq: int
    ttl: int
    addrs: tuple[str, ...]
    port: int
    mesh_port: int
    list_digest: str = ""
    count: int = 0
    heads: tuple[Head, ...] = ()


def _is_unicast(text: str) -> str:
    address = ipaddress.IPv4Address(text)
    if str(address) != text or address.is_multicast or address.is_unspecified or address.is_reserved:
        raise ValueError("has to be the IPv4 address of one machine")
    return text


Address = Annotated[str, Field(max_length=15), AfterValidator(_is_unicast)]
Port = Annotated[int, Field(ge=0, le=65535)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _HeadForm(Message):
    model_id: Annotated[str, Field(min_length=1, max_length=512)]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    infohash: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=LARGEST_WHOLE_NUMBER)]


class _Form(Message):
    v: Annotated[int, Field(ge=FORM, le=FORM)]
    node: Annotated[str, AfterValidator(parse_node_id)]
    boot: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    seq: Annotated[int, Field(ge=1, le=LARGEST_WHOLE_NUMBER)]
    ttl: Annotated[int, Field(ge=1, le=LONGEST_TTL)]
    addrs: Annotated[tuple[Address, ...], Field(min_length=1, max_length=MOST_ADDRESSES)]
    port: Port
    mesh_port: Port
    list_digest: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{64})?$")]
    count: Annotated[int, Field(ge=0, le=MOST_MODELS)]
    heads: Annotated[tuple[_HeadForm, ...], Field(max_length=MOST_HEADS)]


def seal(announcement: Announcement, key: NodeKey, lan: LanKey, nonce: bytes) -> bytes:
    """The datagram. Heads are left out, the last one first, until it fits."""
    if announcement.node != key.node_id:
        raise BadAnnouncementError(f"{announcement.node} is announced by its own key only, not by {key.node_id}.")
    announcement = replace(announcement, heads=announcement.heads[:MOST_HEADS])
    while True:
        data = _spelled(announcement)
        header = _HEADER.pack(_MAGIC, FORM, lan.epoch, nonce)
        datagram = header + lan.box.encrypt(nonce, key.sign(SIGNED_AS, data) + data, header)
        if len(datagram) <= LARGEST:
            return datagram
        announcement = replace(announcement, heads=announcement.heads[:-1])


def _spelled(announcement: Announcement) -> bytes:
    try:
        form = _Form.model_validate({"v": FORM, **asdict(announcement)})
    except (ValidationError, BadNodeIdError) as error:
        raise BadAnnouncementError(f"This cannot be announced: {_why(error)}.") from None
    return _canonical(form)


def _why(error: ValidationError | BadNodeIdError) -> str:
    if isinstance(error, BadNodeIdError):
        return error.message
    return ", ".join(f"`{where}` {why}" for where, why in misfits(error))


def _canonical(form: _Form) -> bytes:
    return canonical_bytes(form.model_dump(mode="json"))


def open_packet(datagram: bytes, keys: Mapping[int, LanKey]) -> Announcement:
    """What a node of this household said; raises for everything else. Cheap checks stand first."""
    if len(datagram) > LARGEST:
        raise PacketRefusedError(Refusal.TOO_LONG)
    data = _opened(datagram, keys)
    signature, data = data[:_SIGNATURE], data[_SIGNATURE:]
    announcement = _read(data)
    try:
        verify(announcement.node, SIGNED_AS, data, signature)
    except BadSignatureError:
        raise PacketRefusedError(Refusal.SIGNATURE) from None
    return announcement


def epoch_of(datagram: bytes) -> int:
    """Of a packet that was opened."""
    epoch: int = _HEADER.unpack_from(datagram)[2]
    return epoch


def _opened(datagram: bytes, keys: Mapping[int, LanKey]) -> bytes:
    if len(datagram) < _HEADER.size or not datagram.startswith(_MAGIC):
        raise PacketRefusedError(Refusal.NOT_OURS)
    _, version, epoch, nonce = _HEADER.unpack_from(datagram)
    if version != FORM:
        raise PacketRefusedError(Refusal.VERSION)
    lan = keys.get(epoch)
    if lan is None:
        raise PacketRefusedError(Refusal.NEWER_EPOCH if epoch > max(keys, default=-1) else Refusal.OLDER_EPOCH)
    try:
        return lan.box.decrypt(nonce, datagram[_HEADER.size :], datagram[: _HEADER.size])
    except InvalidTag:
        raise PacketRefusedError(Refusal.SEAL) from None


def _read(data: bytes) -> Announcement:
    """One spelling only: what is not canonical is not what its sender was to sign."""
    try:
        form = _Form.model_validate_json(data)
    except (ValidationError, BadNodeIdError):
        raise PacketRefusedError(Refusal.FORM) from None
    if _canonical(form) != data:
        raise PacketRefusedError(Refusal.FORM)
    return Announcement(
        node=parse_node_id(form.node),
        boot=form.boot,
        seq=form.seq,
        ttl=form.ttl,
        addrs=form.addrs,
        port=form.port,
        mesh_port=form.mesh_port,
        list_digest=form.list_digest,
        count=form.count,
        heads=tuple(Head(one.model_id, one.revision, one.infohash, one.sha256, one.size) for one in form.heads),
    )
