"""A tracker for the other BitTorrent clients of the house: who announces learns who else has the file.

It knows only the torrents this node knows, and only hosts that are admitted; an address is the one a connection came
from, never one that somebody gives. The table is bounded, and who fills it loses lines of their own first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from thorp.base.clock import Clock
from thorp.base.errors import UsageError
from thorp.swarm.recipes import SHA1, bencode

PATH: Final = "/announce"
INTERVAL: Final = 60  # seconds between two announces
LEAST_INTERVAL: Final = 30
FORGOTTEN: Final = 3.0 * INTERVAL  # seconds; as long as a neighbour is held for one
MOST_ROWS: Final = 20_000
MOST_HOSTS: Final = 256
MOST_PORTS: Final = 4  # of one host for one torrent
MOST_PEERS: Final = 200  # in one answer
USUAL_PEERS: Final = 50
LONGEST_QUERY: Final = 2048
HIGHEST_PORT: Final = 65535
STRANGER: Final = "This tracker is for its own household. Ask the owner of this node to admit this computer."

Peer: TypeAlias = tuple[str, int]
Known: TypeAlias = Callable[[bytes], tuple[Peer, ...] | None]  # who else has it; None: never heard of
Admitted: TypeAlias = Callable[[str], bool]


class BadAnnounceError(UsageError):
    """A client announced itself in a way that cannot be understood."""

    code = "swarm.bad_announce"


@dataclass(frozen=True, slots=True)
class Announce:
    infohash: bytes
    port: int
    left: int
    stopped: bool = False
    wanted: int = USUAL_PEERS


@dataclass(slots=True)
class _Row:
    heard: float  # monotonic
    complete: bool


class Tracker:
    def __init__(self, clock: Clock, known: Known) -> None:
        self._clock = clock
        self._known = known
        self._torrents: dict[bytes, dict[str, dict[int, _Row]]] = {}  # infohash, address, port
        self._hosts: dict[str, dict[tuple[bytes, int], None]] = {}  # what each address announced, the oldest first

    @property
    def rows(self) -> int:
        return sum(map(len, self._hosts.values()))

    def announce(self, query: bytes, address: str, admitted: Admitted) -> bytes:
        """The answer, bencoded; a refusal is an answer too, as clients show its reason."""
        if not admitted(address) or not _is_ipv4(address):
            return failure(STRANGER)
        try:
            one = parse_announce(query)
        except BadAnnounceError as error:
            return failure(error.message)
        others = self._known(one.infohash)
        if others is None:
            return failure("This node does not know that torrent. Export it again, or ask the node that shared it.")
        self._note(one, address)
        return self._answer(one, address, others, admitted)

    def _note(self, one: Announce, address: str) -> None:
        now = self._clock.monotonic()
        self._remove(address, one.infohash, one.port)
        if one.stopped:
            return
        self._make_room(address, one.infohash, now)
        if address not in self._hosts and len(self._hosts) >= MOST_HOSTS:
            return
        self._hosts.setdefault(address, {})[one.infohash, one.port] = None
        ports = self._torrents.setdefault(one.infohash, {}).setdefault(address, {})
        ports[one.port] = _Row(now, one.left == 0)

    def _make_room(self, address: str, infohash: bytes, now: float) -> None:
        ports = self._torrents.get(infohash, {}).get(address, {})
        if len(ports) >= MOST_PORTS:
            self._remove(address, infohash, next(iter(ports)))
        if self.rows >= MOST_ROWS or len(self._hosts) >= MOST_HOSTS:
            self._forget(now)
        if self.rows >= MOST_ROWS:
            greediest = max(self._hosts, key=lambda one: len(self._hosts[one]))
            self._remove(greediest, *next(iter(self._hosts[greediest])))

    def _forget(self, now: float) -> None:
        """Whoever was not heard for a while is gone."""
        for address, keys in list(self._hosts.items()):
            for infohash, port in list(keys):
                if now - self._torrents[infohash][address][port].heard < FORGOTTEN:
                    break
                self._remove(address, infohash, port)

    def _remove(self, address: str, infohash: bytes, port: int) -> None:
        holders = self._torrents.get(infohash, {})
        ports = holders.get(address, {})
        if ports.pop(port, None) is None:
            return
        keys = self._hosts[address]
        del keys[infohash, port]
        if not keys:
            del self._hosts[address]
        if not ports:
            del holders[address]
        if not holders:
            del self._torrents[infohash]

    def _answer(self, one: Announce, address: str, others: tuple[Peer, ...], admitted: Admitted) -> bytes:
        complete, incomplete, peers = 0, 0, dict.fromkeys(peer for peer in others if _is_ipv4(peer[0]))
        for peer, row in self._live(one.infohash, admitted):
            complete, incomplete = complete + row.complete, incomplete + (not row.complete)
            if not (row.complete and one.left == 0):  # two that have all of it have nothing to tell each other
                peers[peer] = None
        peers.pop((address, one.port), None)
        chosen = list(peers)[: one.wanted]
        return bencode(
            {
                "complete": complete + len(others),
                "incomplete": incomplete,
                "interval": INTERVAL,
                "min interval": LEAST_INTERVAL,
                "peers": b"".join(_compact(peer) for peer in chosen),
            }
        )

    def _live(self, infohash: bytes, admitted: Admitted) -> Iterator[tuple[Peer, _Row]]:
        now = self._clock.monotonic()
        for address, ports in self._torrents.get(infohash, {}).items():
            if admitted(address):
                yield from (((address, port), row) for port, row in ports.items() if now - row.heard < FORGOTTEN)


def tracker_app(tracker: Tracker, admitted: Admitted) -> ASGIApp:
    """GET `/announce` over plain HTTP, and nothing else."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        client = scope.get("client")
        address = str(client[0]) if client else ""
        if not admitted(address):
            await _send(send, 403, failure(STRANGER))
        elif scope["path"] != PATH:
            await _send(send, 404, failure(f"This tracker answers at {PATH} only."))
        elif scope["method"] != "GET":
            await _send(send, 405, failure("A client announces itself by GET."))
        else:
            await _send(send, 200, tracker.announce(scope["query_string"], address, admitted))

    return app


def parse_announce(query: bytes) -> Announce:
    """An address in it is passed over: nobody announces somebody else."""
    given = _fields(query)
    infohash = given.get("info_hash", b"")
    if len(infohash) != SHA1:
        raise BadAnnounceError("An announce needs an `info_hash` of 20 bytes. Try another client.")
    return Announce(
        infohash,
        _number(given, "port", None, 1, HIGHEST_PORT),
        _number(given, "left", None, 0, 2**63 - 1),
        given.get("event") == b"stopped",
        min(_number(given, "numwant", USUAL_PEERS, 0, 2**31 - 1), MOST_PEERS),
    )


def failure(reason: str) -> bytes:
    return bencode({"failure reason": reason})


def _fields(query: bytes) -> dict[str, bytes]:
    if len(query) > LONGEST_QUERY:
        raise BadAnnounceError(f"An announce is at most {LONGEST_QUERY} bytes long. Try another client.")
    found: dict[str, bytes] = {}
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        key = name.decode("latin-1")
        if key in found:
            raise BadAnnounceError("An announce gives every field once. Try another client.")
        found[key] = unquote_to_bytes(value)
    return found


def _number(given: Mapping[str, bytes], name: str, usual: int | None, least: int, most: int) -> int:
    text = given.get(name, b"")
    if text in (b"", b"-1") and usual is not None:
        return usual
    if not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise BadAnnounceError(f"An announce needs a number as its `{name}`, from {least} to {most}.")
    return int(text)


def _is_ipv4(address: str) -> bool:
    try:
        IPv4Address(address)
    except AddressValueError:
        return False
    return True


def _compact(peer: Peer) -> bytes:
    return IPv4Address(peer[0]).packed + peer[1].to_bytes(2, "big")


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
