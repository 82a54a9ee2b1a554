"""The link that invites a node into a household: whom to ask, where, and a secret that is good once.

It never holds the household's own secret. A link that was cut off, altered or made by another version says so.
"""

import base64
import binascii
import hashlib
import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, cast

from pydantic import Field, ValidationError

from thorp.base.errors import ThorpError, UsageError
from thorp.identity.ids import NodeId, parse_node_id
from thorp.wire.canonical import canonical_bytes
from thorp.wire.household import CommunityId, NodeText, bytes_of_text, text_of_bytes
from thorp.wire.model import Message, misfits
from thorp.wire.strictjson import parse_json

SCHEME: Final = "thorp:"
PREFIX: Final = "thorp:join/"
VERSION: Final = "1"
LONGEST: Final = 2048
SECRET_BYTES: Final = 16
CHECK_CHARACTERS: Final = 8
MOST_ENDPOINTS: Final = 8
LONGEST_PORT: Final = 5  # digits
LAST_PORT: Final = 65535
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/32")


class LinkFault(StrEnum):
    """What is wrong with a link; `details["reason"]` of a BadLinkError."""

    TOO_LONG = "too_long"
    NO_INVITE = "no_invite"
    OTHER_VERSION = "other_version"
    ALTERED = "altered"
    BAD_FIELD = "bad_field"
    BAD_ENDPOINT = "bad_endpoint"


class BadLinkError(UsageError):
    """A link that is no invite, or no longer the one that was made."""

    code = "invites.bad_link"


@dataclass(frozen=True, slots=True)
class Invite:
    node: NodeId  # the inviter
    community: str
    endpoints: tuple[str, ...]
    secret: bytes = field(repr=False)


class _Written(Message):
    check: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    community: CommunityId
    endpoints: Annotated[
        tuple[Annotated[str, Field(max_length=64)], ...], Field(min_length=1, max_length=MOST_ENDPOINTS)
    ]
    node: NodeText
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]


def invite_id(secret: bytes) -> str:
    """What names an invite without giving it away."""
    return hashlib.sha256(b"thorp/invite-id/1\0" + secret).hexdigest()[:32]


def link_of(invite: Invite) -> str:
    fields: dict[str, object] = {
        "community": invite.community,
        "endpoints": list(invite.endpoints),
        "node": invite.node,
        "secret": text_of_bytes(invite.secret),
    }
    return f"{PREFIX}{VERSION}/{text_of_bytes(canonical_bytes(fields | {'check': _check_of(fields)}))}"


def _check_of(fields: dict[str, object]) -> str:
    return hashlib.sha256(b"thorp/invite-check/1\0" + canonical_bytes(fields)).hexdigest()[:CHECK_CHARACTERS]


def parse_link(text: str) -> Invite:
    """The invite a link holds. Each thing that can be wrong with it has its own sentence."""
    link = text.strip()
    if len(link) > LONGEST:
        raise _bad(LinkFault.TOO_LONG, f"This link is longer than the {LONGEST} characters an invite can have.")
    if not link.startswith(PREFIX):
        raise _bad(LinkFault.NO_INVITE, f"This is no invite; one begins with `{PREFIX}{VERSION}/`.")
    version, _, payload = link.removeprefix(PREFIX).partition("/")
    if version != VERSION:
        raise _bad(
            LinkFault.OTHER_VERSION,
            f"This invite is of version `{version[:8]}`; this node reads version {VERSION}. Bring both to one version.",
        )
    return _invite_of(_fields_of(payload))


def _fields_of(payload: str) -> dict[str, object]:
    """What was written, if not a character of it changed since."""
    altered = "This invite was cut off or altered on its way. Copy the whole link, or ask for a new one."
    try:
        content = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        read = parse_json(content)
        if not isinstance(read, dict) or text_of_bytes(canonical_bytes(cast("object", read))) != payload:
            raise _bad(LinkFault.ALTERED, altered)
    except (binascii.Error, ValueError, ThorpError):
        raise _bad(LinkFault.ALTERED, altered) from None
    fields = cast("dict[str, object]", read)
    rest = {name: value for name, value in fields.items() if name != "check"}
    if fields.get("check") != _check_of(rest):
        raise _bad(LinkFault.ALTERED, altered)
    return rest | {"check": fields["check"]}


def _invite_of(fields: dict[str, object]) -> Invite:
    try:
        written = _Written.model_validate_json(canonical_bytes(fields))
        node = parse_node_id(written.node)
        secret = bytes_of_text(written.secret)
    except ValidationError as error:
        at, problem = misfits(error)[0]
        raise _bad(LinkFault.BAD_FIELD, f"This invite is not one that Thorp makes: `{at}` {problem}.") from None
    except ThorpError:
        raise _bad(LinkFault.BAD_FIELD, "This invite is not one that Thorp makes: who invites is not said.") from None
    for endpoint in written.endpoints:
        split_endpoint(endpoint)
    return Invite(node, written.community, written.endpoints, secret)


def split_endpoint(text: str) -> tuple[str, int]:
    """Address and port. Only plain addresses of one machine; a name could lead anywhere. The key there is compared."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        address = None
    proper = port.isascii() and port.isdigit() and len(port) <= LONGEST_PORT and 0 < int(port) <= LAST_PORT
    if address is None or not proper or _is_nowhere(address) or endpoint_of(str(address), int(port)) != text:
        raise _bad(LinkFault.BAD_ENDPOINT, f"`{text[:64]}` is no place in a house where a node could be asked.")
    return str(address), int(port)


def _is_nowhere(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Addresses that a link never leads to: nobody's, everybody's, and those of the network itself."""
    mapped = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped is not None
        or address.sixtofour is not None
        or address.teredo is not None
        or address in NAT64
    )
    this_network = isinstance(address, ipaddress.IPv4Address) and address.packed[0] == 0
    return (
        mapped
        or this_network
        or address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )


def endpoint_of(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _bad(reason: LinkFault, message: str) -> BadLinkError:
    return BadLinkError(message, reason=reason.value)
