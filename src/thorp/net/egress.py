"""Where requests of this node may go: one reader of URLs, one table of addresses, one rule.

Pure; who resolves names and connects is `outward`. Refuses every spelling that two programs could read differently.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias
from urllib.parse import quote, urljoin

from thorp.base.lazy import LazyModule
from thorp.base.printable import printable
from thorp.net.outward_errors import EgressRefusedError

PORTS: Final = {"http": 80, "https": 443}
LONGEST_URL: Final = 16 * 1024  # signed addresses of object stores take several KiB
MOST_ADDRESSES: Final = 64  # of one name
_LONGEST_HOST: Final = 253
_LONGEST_PORT: Final = 65_535
_SHOWN: Final = 80
_IDNA: Final = LazyModule("idna")

_IPv4: TypeAlias = ipaddress.IPv4Address
_IPv6: TypeAlias = ipaddress.IPv6Address
_Networks: TypeAlias = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


class Reach(StrEnum):
    """Whom an address belongs to."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    NEVER = "never"


def _networks(*texts: str) -> _Networks:
    return tuple(ipaddress.ip_network(text) for text in texts)


_NEVER: Final = _networks(
    "0.0.0.0/8",  # this network
    "100.100.100.200/32",  # metadata of a cloud
    "168.63.129.16/32",  # the same of another
    "169.254.0.0/16",  # link-local, and the metadata of most clouds
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "fd00:ec2::254/128",  # metadata of a cloud
    "fd20:ce::254/128",  # the same of another
    "2001::/23",  # protocol assignments; Teredo is looked at before
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation
)
_LOOPBACK: Final = _networks("127.0.0.0/8", "::1/128")
_PRIVATE: Final = _networks("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
# Everything else of IPv6 is a form of an IPv4 address, link-local, multicast or nobody's.
_GLOBAL6: Final = ipaddress.IPv6Network("2000::/3")


def reach_of(address: str) -> Reach:
    """The class of an address; what is no address at all belongs to nobody."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return Reach.NEVER
    if isinstance(found, _IPv6):
        if found.scope_id is not None:
            return Reach.NEVER
        inner = _inside(found)
        if inner:
            return Reach.PUBLIC if all(_plain(one) is Reach.PUBLIC for one in inner) else Reach.NEVER
    return _plain(found)


def _inside(address: _IPv6) -> tuple[_IPv4, ...]:
    """The IPv4 addresses that a tunnel would take the packet to."""
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or ()


def _plain(address: _IPv4 | _IPv6) -> Reach:
    if _within(address, _NEVER):
        return Reach.NEVER
    if _within(address, _LOOPBACK):
        return Reach.LOOPBACK
    if _within(address, _PRIVATE):
        return Reach.PRIVATE
    if isinstance(address, _IPv6) and address not in _GLOBAL6:
        return Reach.NEVER
    return Reach.PUBLIC


def _within(address: _IPv4 | _IPv6, networks: _Networks) -> bool:
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what a token is given for."""

    scheme: str
    host: str  # ASCII, lower case; IPv6 without brackets
    port: int

    @property
    def netloc(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL after it was read once. Everything that follows uses these parts and never the text."""

    scheme: str
    host: str
    port: int
    path_and_query: str

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, self.host, self.port)

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path_and_query}"

    def __str__(self) -> str:
        return self.url


_SHAPE: Final = re.compile(r"(?P<scheme>https?)://(?P<netloc>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?", re.IGNORECASE)
_NETLOC: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SAFE: Final = "/?:@!$&'()*+,;=-._~%[]|^{}"  # stays as it is; the rest is written as %XX


def parse_url(text: str) -> Target:
    """The parts of an http or https URL. Raises EgressRefusedError for anything unusual."""
    _check_characters(text)
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise _refused(text, "it is no http or https URL")
    if "@" in found["netloc"]:
        raise EgressRefusedError("A URL with a user name in it is refused. Put the token where tokens belong.")
    scheme, rest = found["scheme"].lower(), found["rest"]
    host, port = _host_and_port(text, scheme, found["netloc"])
    path = rest if rest.startswith("/") else f"/{rest}"
    return Target(scheme, host, port, quote(path, safe=_SAFE))


def join_url(base: Target, location: str) -> Target:
    """Where a redirect leads."""
    _check_characters(location)
    if _SCHEME.match(location):
        return parse_url(location)
    return parse_url(urljoin(base.url, location))


def _check_characters(text: str) -> None:
    if len(text) > LONGEST_URL:
        raise EgressRefusedError(f"A URL of more than {LONGEST_URL} characters is refused.")
    if any(one.isspace() or unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn") for one in text):
        raise _refused(text, "it contains spaces or characters nobody sees")
    if "\\" in text:
        raise _refused(text, "it contains a backslash, which programs read differently")


def _refused(text: str, why: str) -> EgressRefusedError:
    """Shows what is wrong without what a path, a query or a user part may keep secret."""
    head = text.partition("?")[0].rpartition("@")[2]
    shown = printable(head if len(head) <= _SHOWN else f"{head[:_SHOWN]}…")
    return EgressRefusedError(f"`{shown}` is refused: {why}.")


def _host_and_port(text: str, scheme: str, netloc: str) -> tuple[str, int]:
    found = _NETLOC.fullmatch(netloc)
    if found is None:
        raise _refused(text, "its host or port cannot be read without doubt")
    port = int(found["port"]) if found["port"] else PORTS[scheme]
    if not 0 < port <= _LONGEST_PORT:
        raise _refused(text, "no such port exists")
    return (_six(text, found["six"]) if found["six"] else _name(text, found["name"])), port


def _six(text: str, literal: str) -> str:
    try:
        return str(ipaddress.IPv6Address(literal))
    except ValueError:
        raise _refused(text, "its IPv6 address is none") from None


def _name(text: str, name: str) -> str:
    host = _ascii(text, name.lower())
    labels = host.split(".")
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused(text, "its host is no host name; a dot at the end is refused too")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refused(text, "its host is a number or an unusual spelling of an IPv4 address") from None
    for label in labels:
        if label.startswith("xn--"):
            _check_label(text, label)
    return host


def _ascii(text: str, name: str) -> str:
    """Each label by itself, because `idna` would also take other characters for the dot."""
    try:
        return ".".join(one if one.isascii() else _IDNA.load().alabel(one).decode("ascii") for one in name.split("."))
    except UnicodeError:  # what all errors of idna are
        raise _refused(text, "its host name has characters that no host name may have") from None


_JAPANESE: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN"})
_MIXTURES: Final = (_JAPANESE, frozenset({"CJK", "HANGUL", "LATIN"}), frozenset({"CJK", "BOPOMOFO", "LATIN"}))
_LATIN_TWINS: Final = frozenset("асԁеһіјӏорԛѕԝхуъьҽпгѵѡүԍԛαονρτυικω")


def _check_label(text: str, label: str) -> None:
    """One script in each label, and not one whose every letter looks like a Latin one."""
    try:
        shown = str(_IDNA.load().ulabel(label))
    except UnicodeError:
        raise _refused(text, f"`{label}` stands for no name") from None
    letters = [one for one in shown if one.isalpha()]
    scripts = {unicodedata.name(one, "UNKNOWN").split()[0] for one in letters}
    mixed = len(scripts) > 1 and not any(scripts <= mixture for mixture in _MIXTURES)
    if mixed or (letters and all(one in _LATIN_TWINS for one in letters)):
        raise EgressRefusedError(f"A host name with letters that look like others is refused; it is really `{label}`.")


class Resolver(Protocol):
    """All addresses of a name. Raises OutwardUnreachableError when there are none."""

    def __call__(self, host: str, port: int) -> tuple[str, ...]: ...


class Guard:
    """The rule: URLs from data reach public addresses by https; an origin the owner set may be inside the house."""

    def __init__(self, own_origins: Callable[[], tuple[str, ...]]) -> None:
        self._own_origins = own_origins

    def owns(self, target: Target) -> bool:
        """Whether exactly this scheme, host and port was set by the owner."""
        for text in self._own_origins():
            with suppress(EgressRefusedError):
                if parse_url(text).origin == target.origin:
                    return True
        return False

    def check(self, target: Target, addresses: Sequence[str], origin_class: Reach | None = None) -> str:
        """The address to connect to. `origin_class`: where the redirect comes from; None for a first request."""
        return self.allowed(target, addresses, origin_class)[0]

    def allowed(self, target: Target, addresses: Sequence[str], origin_class: Reach | None = None) -> tuple[str, ...]:
        """The same, with the others to try when the first does not answer. One forbidden address forbids all."""
        if not 0 < len(addresses) <= MOST_ADDRESSES:
            raise EgressRefusedError(f"`{target.host}` has no address, or more than {MOST_ADDRESSES}.")
        own = self.owns(target)
        allowed = _reaches(own, origin_class)
        reaches = [reach_of(address) for address in addresses]
        for address, reach in zip(addresses, reaches, strict=True):
            if reach not in allowed:
                raise EgressRefusedError(_told(target, address, reach))
        if len(set(reaches)) > 1 and not own:  # an own host may have an address of the house and one of the internet
            raise EgressRefusedError(f"`{target.host}` stands for addresses inside and outside of the house at once.")
        if target.scheme == "http" and not own and (reaches[0] is Reach.PUBLIC or reaches[0] is not origin_class):
            raise EgressRefusedError(f"`{target.host}` is asked by https only; the address given is plain http.")
        return tuple(addresses)


def check_hop(previous: Target, following: Target) -> None:
    """What a redirect may not do whatever the addresses are."""
    if previous.scheme == "https" and following.scheme == "http":
        raise EgressRefusedError(f"`{previous.host}` redirects from https to plain http; that is refused.")


def _reaches(own: bool, origin_class: Reach | None) -> frozenset[Reach]:
    if origin_class is None:
        return frozenset({Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK} if own else {Reach.PUBLIC})
    return frozenset({Reach.PUBLIC, origin_class})


def _told(target: Target, address: str, reach: Reach) -> str:
    where = {
        Reach.PRIVATE: "in a private network",
        Reach.LOOPBACK: "this machine itself",
        Reach.NEVER: "no address to send requests to",
    }.get(reach, "in the internet")
    name = f"`{target.host}`" if target.host == address else f"`{target.host}` leads to {address}, which"
    rule = "that is refused whoever asks" if reach is Reach.NEVER else "only an address that the owner set may be"
    return f"{name} is {where}; {rule}. Nothing was sent."
