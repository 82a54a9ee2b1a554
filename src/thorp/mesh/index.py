"""Which members of the household are here, and where: what packets and pinned calls prove, and nothing else.

Lives on the event loop and waits for nothing. Each packet is judged by seal, signature, address, roster and number,
never by a clock of its sender. What it keeps is bounded by the number of members, whoever sends how much.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from thorp.base.clock import Clock
from thorp.identity.ids import NodeId
from thorp.mesh.index_types import Circle, Verdict
from thorp.mesh.types import OPEN_SECONDS, Around, By, Neighbour
from thorp.wire.announce import Announcement, PacketRefusedError, Refusal, epoch_of, open_packet
from thorp.wire.household import MOST_MEMBERS

WantsRoster = Callable[[str, int, NodeId | None], None]  # address, mesh port (0: not known), who should be there

MOST_SEQS: Final = 4 * MOST_MEMBERS
MOST_REMEMBERED: Final = 4 * MOST_MEMBERS  # packets taken: what comes again costs no arithmetic
AGAIN_WITHIN: Final = 5.0  # the same packet by another way: over two interfaces, or by multicast and broadcast
STAYS_FOR: Final = 90.0  # a node with two addresses keeps the one it was found at while that is heard
MOST_SIGHTINGS: Final = 64
ASK_AGAIN_AFTER: Final = 60.0
MEMBER_AGAIN_AFTER: Final = 5.0  # of a member that is here: two removals may follow each other
FOREIGN_AGAIN_AFTER: Final = 600.0
ASKED_PER_MINUTE: Final = 10


@dataclass(slots=True)
class _Here:
    """One neighbour, and what decides how long it counts."""

    neighbour: Neighbour
    boot: str = ""
    addrs: tuple[str, ...] = ()
    seen_at: dict[str, float] = field(default_factory=dict[str, float])  # by address
    packet_at: float | None = None
    epoch: int = 0  # of the last packet
    until: float = 0.0

    def address(self, newest: str, now: float) -> str:
        """Where to reach it: where it was found, unless it moved."""
        old = self.neighbour.address
        stays = old in self.addrs and now - self.seen_at.get(old, -STAYS_FOR) < STAYS_FOR
        return old if stays else newest

    def saw(self, address: str, now: float) -> None:
        self.seen_at = {one: at for one, at in self.seen_at.items() if one in self.addrs} | {address: now}


@dataclass(frozen=True, slots=True)
class _Taken:
    announcement: Announcement
    at: float
    own: bool


class Asking:
    """Keeps calls that strangers can provoke rare: per address, and together for addresses of nobody we know."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._strangers: list[float] = []

    def may(self, address: str, now: float, *, known: bool, again_after: float = ASK_AGAIN_AFTER) -> bool:
        at = self._asked.get(address)
        if at is not None and now - at < again_after:
            return False
        if not known:
            self._strangers = [one for one in self._strangers if now - one < ASK_AGAIN_AFTER]
            if len(self._strangers) >= ASKED_PER_MINUTE:
                return False
            self._strangers.append(now)
        self._asked[address] = now
        self._asked.move_to_end(address)
        if len(self._asked) > MOST_SIGHTINGS:
            self._asked.popitem(last=False)
        return True


@dataclass(eq=False)
class Index:
    """The neighbours. `changed` is told at each packet and call that counts, so that peers are offered again."""

    me: NodeId
    boot: str
    _: KW_ONLY
    circle: Callable[[], Circle]
    clock: Clock
    changed: Callable[[Around], None]
    wants_roster: WantsRoster
    _here: dict[NodeId, _Here] = field(init=False, default_factory=dict[NodeId, _Here])
    _seqs: dict[NodeId, int] = field(init=False, default_factory=dict[NodeId, int])
    _taken: OrderedDict[bytes, _Taken] = field(init=False, default_factory=OrderedDict[bytes, _Taken])
    _sighted: OrderedDict[str, float] = field(init=False, default_factory=OrderedDict[str, float])
    _asking: Asking = field(init=False, default_factory=Asking)
    _asking_proven: Asking = field(init=False, default_factory=Asking)  # what others provoke takes nothing from these
    _refused: Counter[str] = field(init=False, default_factory=Counter[str])

    def recall(self, seqs: Mapping[NodeId, int]) -> None:
        """What was stored before the restart. Numbers only grow."""
        for node, seq in seqs.items():
            self.note_seq(node, seq)

    def seqs(self) -> Mapping[NodeId, int]:
        """What has to be stored."""
        return dict(self._seqs)

    def last_seq(self, node: NodeId) -> int:
        return self._seqs.get(node, 0)

    def note_seq(self, node: NodeId, seq: int) -> None:
        """Those heard last are kept; the own one always is."""
        self._seqs[node] = max(seq, self._seqs.pop(node, 0))
        while len(self._seqs) > MOST_SEQS:
            del self._seqs[next(one for one in self._seqs if one != self.me)]

    def hear(self, datagram: bytes, source: str) -> Verdict:
        """Judge one packet that came from `source`."""
        try:
            return self._judged(datagram, source)
        except PacketRefusedError as refused:
            self.refuse(refused.reason)
            return Verdict(refusal=refused.reason)

    def refuse(self, reason: Refusal) -> None:
        self._refused[reason] += 1

    def refused(self) -> Mapping[str, int]:
        """How many packets were dropped since the start, by reason."""
        return dict(self._refused)

    def _judged(self, datagram: bytes, source: str) -> Verdict:
        digest, now = hashlib.sha256(datagram).digest(), self.clock.monotonic()
        if taken := self._taken.get(digest):
            return self._again(taken, source, now)
        said = self._opened(datagram, source)
        if said.node == self.me and said.boot != self.boot:
            raise PacketRefusedError(Refusal.TWIN)
        if source not in said.addrs:
            raise PacketRefusedError(Refusal.WRONG_ADDRESS)
        fresh = said.node != self.me and self._welcome(said, epoch_of(datagram), source, now)
        self._remember(digest, _Taken(said, now, said.node == self.me))
        if said.node == self.me:
            return Verdict(own=True)
        self._tell()
        return Verdict(node=said.node, fresh=fresh)

    def _opened(self, datagram: bytes, source: str) -> Announcement:
        circle = self.circle()
        try:
            return open_packet(datagram, circle.keys)
        except PacketRefusedError as refused:
            if refused.reason is Refusal.NEWER_EPOCH and not circle.is_alone:
                known = self._at(source)
                self._ask(source, known.mesh_port if known else 0, known.node if known else None)
            raise

    def _again(self, taken: _Taken, source: str, now: float) -> Verdict:
        """The same bytes a second time: by another way at once, or replayed."""
        if now - taken.at > AGAIN_WITHIN or source not in taken.announcement.addrs:
            raise PacketRefusedError(Refusal.REPLAYED)
        if taken.own:
            return Verdict(own=True)
        node = taken.announcement.node
        if node in self._here:
            self._here[node].saw(source, now)
        return Verdict(node=node)

    def _remember(self, digest: bytes, taken: _Taken) -> None:
        self._taken[digest] = taken
        if len(self._taken) > MOST_REMEMBERED:
            self._taken.popitem(last=False)

    def _welcome(self, said: Announcement, epoch: int, source: str, now: float) -> bool:
        """Enter what a member said; answers whether it is new here, or could not open before now what we said."""
        circle = self.circle()
        if said.node in circle.removed:
            raise PacketRefusedError(Refusal.REMOVED)
        if said.node not in circle.names:
            if self._asking_proven.may(source, now, known=False):
                self.wants_roster(source, said.mesh_port, said.node)
            raise PacketRefusedError(Refusal.STRANGER)
        if said.seq <= self.last_seq(said.node):
            raise PacketRefusedError(Refusal.REPLAYED)
        here = self._here.get(said.node)
        if here is None and len(self._here) >= MOST_MEMBERS:
            raise PacketRefusedError(Refusal.FULL)
        self.note_seq(said.node, said.seq)
        fresh = here is None or here.boot != said.boot or here.epoch < epoch
        here = here or _Here(_nowhere(said.node, source))
        here.epoch = epoch
        self._enter(said, here, source, now)
        return fresh

    def _enter(self, said: Announcement, here: _Here, source: str, now: float) -> None:
        here.boot, here.addrs, here.packet_at = said.boot, said.addrs, now
        here.saw(source, now)
        here.until = now + min(float(said.ttl), OPEN_SECONDS)
        here.neighbour = Neighbour(
            node=said.node,
            name=self.circle().names.get(said.node, ""),
            address=here.address(source, now),
            swarm_port=said.port,
            mesh_port=said.mesh_port,
            list_digest=said.list_digest,
            count=said.count,
            heads=said.heads,
            heard=now,
            by="packet",
        )
        self._here[said.node] = here

    def note_call(
        self, node: NodeId, address: str, *, swarm_port: int = 0, mesh_port: int = 0, greeted: bool = True
    ) -> None:
        """A member proved its key in a call, to us or when we called it. A port of 0 says nothing new.

        Ports that it did not say in this very call, but when it greeted, only fill what is not known.
        """
        circle, now = self.circle(), self.clock.monotonic()
        if node == self.me or node not in circle.names or node in circle.removed:
            return
        here = self._here.get(node) or _Here(_nowhere(node, address))
        if node not in self._here and len(self._here) >= MOST_MEMBERS:
            return
        if here.packet_at is None:
            here.addrs = tuple(dict.fromkeys((here.neighbour.address, address)))
        here.saw(address, now)
        here.until = now + OPEN_SECONDS
        known, by = here.neighbour, self._by(here, address, now)
        here.neighbour = replace(
            known if by == "packet" else _without_list(known),
            name=circle.names[node],
            address=here.address(address, now),
            swarm_port=(swarm_port or known.swarm_port) if greeted else (known.swarm_port or swarm_port),
            mesh_port=(mesh_port or known.mesh_port) if greeted else (known.mesh_port or mesh_port),
            heard=now,
            by=by,
        )
        self._here[node] = here
        self._tell()

    def _by(self, here: _Here, address: str, now: float) -> By:
        if here.packet_at is not None and now - here.packet_at <= OPEN_SECONDS:
            return "packet"
        sighted = self._sighted.get(address)
        return "mdns" if sighted is not None and now - sighted <= OPEN_SECONDS else "call"

    def note_sighting(self, addresses: Collection[str], mesh_port: int, tag: str) -> None:
        """A node in mDNS that may be one of ours: worth a call where nothing else is heard. It proves nothing.

        Told again and again while it is shown. A neighbour is called before its time is over, and when it shows itself
        under another tag: it may have a newer secret.
        """
        now, circle = self.clock.monotonic(), self.circle()
        if circle.is_alone:
            return
        places = tuple(addresses)[:MOST_SIGHTINGS]
        for address in places:
            self._sighted[address] = now
            self._sighted.move_to_end(address)
            if len(self._sighted) > MOST_SIGHTINGS:
                self._sighted.popitem(last=False)
        ours = tag in {key.tag for key in circle.keys.values()}
        known = next((found for found in map(self._at, places) if found is not None), None)
        if known is None:
            for address in places:
                self._ask(address, mesh_port, None, ASK_AGAIN_AFTER if ours else FOREIGN_AGAIN_AFTER)
        elif not ours or now - known.heard >= ASK_AGAIN_AFTER:
            self._ask(known.address, known.mesh_port or mesh_port, known.node)

    def ask_neighbour(self, node: NodeId, address: str, mesh_port: int) -> None:
        """A neighbour seems to have a newer roster: ask it, unless it was asked just now."""
        if node in self._here:
            self._ask(address, mesh_port, node)

    def _ask(self, address: str, mesh_port: int, node: NodeId | None, again_after: float = ASK_AGAIN_AFTER) -> None:
        if known := node in self._here or self._at(address) is not None:
            again_after = min(again_after, MEMBER_AGAIN_AFTER)
        if self._asking.may(address, self.clock.monotonic(), known=known, again_after=again_after):
            self.wants_roster(address, mesh_port, node)

    def _at(self, address: str) -> Neighbour | None:
        return next((one.neighbour for one in self._here.values() if one.neighbour.address == address), None)

    def forget(self, node: NodeId) -> None:
        """It is no member any more. Its number is kept, so that what it said cannot be played again."""
        if self._here.pop(node, None) is not None:
            self._tell()

    def sweep(self) -> float:
        """Let go of who was not heard for too long, or is no member; answers when to look again (monotonic)."""
        circle, now = self.circle(), self.clock.monotonic()
        gone = [
            node
            for node, here in self._here.items()
            if here.until <= now or node not in circle.names or node in circle.removed
        ]
        for node in gone:
            del self._here[node]
        if gone:
            self._tell()
        return min((here.until for here in self._here.values()), default=now + OPEN_SECONDS)

    def around(self) -> Around:
        now = self.clock.monotonic()
        here = (one.neighbour for one in self._here.values() if one.until > now)
        return Around(tuple(sorted(here, key=lambda one: (one.name, one.node))))

    def _tell(self) -> None:
        self.changed(self.around())


def _without_list(neighbour: Neighbour) -> Neighbour:
    """What packets said of its models is too old; a call does not repeat it."""
    return replace(neighbour, list_digest="", count=0, heads=())


def _nowhere(node: NodeId, address: str) -> Neighbour:
    """Before anything is known but that it is there."""
    return Neighbour(node, "", address, 0, 0, "", 0, (), 0.0, "call")
