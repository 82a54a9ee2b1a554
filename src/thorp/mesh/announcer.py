"""Makes this node heard by its household, and hands what it hears to the index.

A network that lets nothing through, a port that is taken, a disk that does not store: each is a state that the owner
can see, and never the end of the node.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import ThorpError
from thorp.base.service import Life, ServiceSpec
from thorp.base.tasks import working
from thorp.identity.keys import NodeKey
from thorp.mesh import plan
from thorp.mesh.index import Index
from thorp.mesh.index_types import Circle, NicMarks, Ports, SeqShelf, Showing
from thorp.mesh.types import By, Hearing
from thorp.net.interfaces import Nic
from thorp.net.udp import Arrived, LanSocket, Way
from thorp.wire.announce import MOST_ADDRESSES, NONCE_BYTES, Announcement, seal

ORDER: Final = 36

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the announcer asks the node at each packet."""

    circle: Callable[[], Circle]
    nics: Callable[[], tuple[Nic, ...]]  # may block for a moment
    ports: Callable[[], Ports]
    shown: Callable[[], Showing]
    silent: Callable[[], str]  # why nothing is said; empty: speak
    seqs: SeqShelf


@dataclass(eq=False)
class Announcer:
    """The service. `poke` makes it speak soon; `hearing` says how far it gets."""

    key: NodeKey
    index: Index
    air: LanSocket
    around: Surroundings
    _: KW_ONLY
    clock: Clock
    randomness: Randomness
    spec: ServiceSpec = field(init=False, default=ServiceSpec("announcer", ORDER))
    _poked: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _wanted: float | None = field(init=False, default=None)
    _last: float | None = field(init=False, default=None)
    _nics: tuple[Nic, ...] = field(init=False, default=())
    _marks: dict[tuple[str, str], NicMarks] = field(init=False, default_factory=dict[tuple[str, str], NicMarks])
    _fault: str = field(init=False, default="")

    async def run(self, life: Life) -> None:
        await self._recall()
        try:
            await working(life, "announcer", speak=self._speak())
        finally:
            self.air.close()
        await self._store()

    def poke(self, within: float = 0.0) -> None:
        """Something changed that others should hear of. Called on the loop."""
        wanted = self.clock.monotonic() + within
        self._wanted = wanted if self._wanted is None else min(self._wanted, wanted)
        self._poked.set()

    def hearing(self) -> Hearing:
        """How the others hear this node, and why they do not."""
        if why := self.around.silent():
            return Hearing("none", why)
        marks = tuple(self._marks.values())
        by: set[By] = {one.by for one in self.index.around().neighbours}
        found = plan.hearing(self.around.circle(), marks, by, self.clock.monotonic())
        return replace(found, why=self._fault) if self._fault and found.by == "none" else found

    async def _speak(self) -> None:
        """Listens before its first word: others may begin at the same moment."""
        await self._listens()
        planned = self.clock.monotonic() + plan.first_delay(self._drawn(plan.FIRST_WITHIN))
        while True:
            await self._until(planned)
            self._wanted = None
            await self._announce()
            self._last = self.clock.monotonic()
            planned = self._last + plan.pause(self._drawn(plan.LONGEST_PAUSE - plan.SHORTEST_PAUSE))

    def _drawn(self, seconds: float) -> int:
        return self.randomness.below(round(seconds * plan.GRAIN) + 1)

    async def _until(self, planned: float) -> None:
        """Wait for the next packet's time, and let neighbours go when theirs is over."""
        while True:
            self._poked.clear()
            look_again = self.index.sweep()
            now, due = self.clock.monotonic(), plan.due(planned, self._last, self._wanted)
            if now >= due:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), min(due, look_again) - now)

    async def _announce(self) -> None:
        if await self._listens() and (datagram := await self._sealed()) is not None:
            self._send(datagram)

    async def _listens(self) -> bool:
        """Be where others are heard, on the interfaces there are now; false where there is nothing to hear or speak."""
        if self.around.silent():
            self._close()
            return False
        self._nics = (await asyncio.to_thread(self.around.nics))[:MOST_ADDRESSES]
        now = self.clock.monotonic()
        self._marks = {
            (nic.name, nic.address): self._marks.get((nic.name, nic.address)) or NicMarks(nic.name, nic.address, now)
            for nic in self._nics
        }
        return self._opened() and bool(self._nics)

    def _close(self) -> None:
        self.air.close()
        self._marks = {}

    def _opened(self) -> bool:
        """Whether the socket is open. A port that another program has for itself is tried again at each turn."""
        try:
            self.air.open(self._arrived, self.index.refuse)
        except OSError as error:
            fault = f"UDP port {self.air.port} cannot be used: {error.strerror or error}"
            if fault != self._fault:
                log.warning("neighbours cannot be heard: %s", fault)
            self._fault = fault
            return False
        self._fault = ""
        self.air.use(self._nics)
        self.air.keep({one.address for one in self.index.around().neighbours})
        return True

    async def _sealed(self) -> bytes | None:
        """The next packet. Its number is on disk before it goes out, so that it is never used twice.

        None: meanwhile there is nobody any more to whom it could be sealed.
        """
        seq = plan.next_seq(self.index.last_seq(self.index.me), int(self.clock.wall() * 1000))
        self.index.note_seq(self.index.me, seq)
        await self._store()
        circle, ports = self.around.circle(), self.around.ports()
        lan = circle.keys.get(circle.epoch)
        if lan is None:
            return None
        shown = Showing() if circle.is_alone else self.around.shown()
        announcement = Announcement(
            node=self.index.me,
            boot=self.index.boot,
            seq=seq,
            ttl=plan.TTL,
            addrs=tuple(nic.address for nic in self._nics),
            port=ports.swarm,
            mesh_port=ports.mesh,
            list_digest=shown.list_digest,
            count=shown.count,
            heads=shown.heads,
        )
        return seal(announcement, self.key, lan, self.randomness.bytes(NONCE_BYTES))

    def _send(self, datagram: bytes) -> None:
        now = self.clock.monotonic()
        circle = self.around.circle()
        wide = {key for key, marks in self._marks.items() if plan.broadcasts(circle, marks, now)}
        for sent in self.air.send(datagram, broadcast=wide):
            key = (sent.nic, sent.address)
            self._marks[key] = replace(self._marks[key], sent=now, broadcast=bool(sent.broadcast), error=sent.error)

    def _arrived(self, arrived: Arrived) -> None:
        verdict = self.index.hear(arrived.datagram, arrived.source)
        if verdict.own and arrived.way is not Way.BROADCAST:
            self._mark(arrived, own=True)
        if verdict.node is not None:
            self._mark(arrived, own=False)
        if verdict.fresh:
            self.air.keep({one.address for one in self.index.around().neighbours})
            self.poke(self._drawn(plan.ANSWER_WITHIN) / plan.GRAIN)

    def _mark(self, arrived: Arrived, *, own: bool) -> None:
        """Note for the interface it came in by how it came. What we said ourselves came in where it went out."""
        now = self.clock.monotonic()
        for key, marks in self._marks.items():
            if own and marks.address == arrived.source:
                self._marks[key] = replace(marks, echo=now)
            elif not own and arrived.nic in ("", marks.name) and arrived.way is Way.GROUP:
                self._marks[key] = replace(marks, group=now)
            elif not own and arrived.nic in ("", marks.name) and arrived.way is Way.BROADCAST:
                self._marks[key] = replace(marks, wide=now)

    async def _recall(self) -> None:
        try:
            self.index.recall(await asyncio.to_thread(self.around.seqs.load))
        except (OSError, ThorpError) as error:
            log.warning("what was heard before the restart cannot be read: %s", error)

    async def _store(self) -> None:
        if self.around.circle().is_alone:
            return  # nobody counts along, so the disk may sleep
        try:
            await asyncio.to_thread(self.around.seqs.save, self.index.seqs())
        except (OSError, ThorpError) as error:
            log.warning("what was heard cannot be stored, so an old packet may be believed after a restart: %s", error)
