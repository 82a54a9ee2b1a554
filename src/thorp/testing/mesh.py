"""The ports of the mesh, held in a test's hand, and nodes that speak with each other without a socket in between."""

import asyncio
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Unpack

from thorp.access.live import LiveCalls
from thorp.base.errors import NotFoundError
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.calls import Met, Neighbourhood
from thorp.mesh.hello import Sessions
from thorp.mesh.household import Household
from thorp.mesh.invites import InviteBook
from thorp.mesh.joining import JoinDesk
from thorp.mesh.ports import Blob, Shown
from thorp.mesh.server import Room, mesh_app
from thorp.mesh.types import Around, Hearing, Kept, Neighbour
from thorp.net.mesh_line import NotGivenError, NotThisNodeError, Options, Target
from thorp.net.outward_errors import OutwardUnreachableError
from thorp.net.outward_line import Stop
from thorp.testing.asgi import Application, Client
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.wire.shared import SharedModel, list_digest


class FakeShelf:
    """Keeps a household in memory. `broken` is a disk that fails."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept
        self.saved = 0
        self.broken = False

    def load(self) -> Kept | None:
        return self.kept

    def save(self, kept: Kept) -> None:
        if self.broken:
            raise OSError("the disk is full")
        self.kept = kept
        self.saved += 1


@dataclass(slots=True)
class FakeLibrary:
    models: tuple[SharedModel, ...] = ()
    blobs: dict[str, Blob] = field(default_factory=dict[str, Blob])
    torrents: dict[str, bytes] = field(default_factory=dict[str, bytes])

    async def shown(self) -> Shown:
        return Shown(self.models, list_digest(self.models))

    async def blob(self, sha256: str) -> Blob:
        if sha256 not in self.blobs:
            raise NotFoundError("There are no such bytes in the library, says its own sentence.")
        return self.blobs[sha256]

    async def torrent(self, infohash: str) -> bytes:
        if infohash not in self.torrents:
            raise NotFoundError("There is no such torrent in the library, says its own sentence.")
        return self.torrents[infohash]


@dataclass(slots=True)
class FakeHeard:
    neighbours: tuple[Neighbour, ...] = ()
    calls: list[tuple[NodeId, str, int, int]] = field(default_factory=list[tuple[NodeId, str, int, int]])
    forgotten: list[NodeId] = field(default_factory=list[NodeId])
    counted: dict[str, int] = field(default_factory=dict[str, int])
    greetings: int = 0  # of those calls

    def around(self) -> Around:
        return Around(self.neighbours)

    def refused(self) -> Mapping[str, int]:
        return self.counted

    def note_call(self, node: NodeId, address: str, *, swarm_port: int, mesh_port: int, greeted: bool = True) -> None:
        self.calls.append((node, address, swarm_port, mesh_port))
        self.greetings += greeted

    def forget(self, node: NodeId) -> None:
        self.forgotten.append(node)


@dataclass(slots=True)
class FakeVoice:
    told: Hearing = field(default_factory=Hearing)

    def hearing(self) -> Hearing:
        return self.told


@dataclass(slots=True)
class FakePlace:
    called: str = "attic"
    at: tuple[str, ...] = ("192.168.7.2",)
    mesh: int = 7080
    swarm: int = 7081

    def name(self) -> str:
        return self.called

    def addresses(self) -> tuple[str, ...]:
        return self.at

    def mesh_port(self) -> int:
        return self.mesh

    def swarm_port(self) -> int:
        return self.swarm


@dataclass(frozen=True, slots=True)
class FakeReply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class FakeIncoming:
    rest: BytesIO

    def readinto(self, buffer: memoryview) -> int:
        return self.rest.readinto(buffer)


class FakeLine:
    """A pinned connection to an ASGI application. Every question runs on an event loop of its own, as in a thread."""

    def __init__(self, node: NodeId, app: Application) -> None:
        self.node = node
        self.closed = False
        self._app = app

    def ask(self, method: str, path: str, *, largest: int, seconds: float, **more: Unpack[Options]) -> FakeReply:
        del seconds
        token = more.get("token")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if tag := more.get("if_none_match"):
            headers["if-none-match"] = tag
        return self._asked(method, path, more.get("body"), headers, largest)

    @contextmanager
    def read(self, path: str, *, token: str, first: int, end: int) -> Generator[FakeIncoming]:
        headers = {"authorization": f"Bearer {token}", "range": f"bytes={first}-{end - 1}"}
        reply = self._asked("GET", path, None, headers, end - first + 4096)
        if reply.status != HTTPStatus.PARTIAL_CONTENT or not re.fullmatch(
            rf"bytes {first}-{end - 1}/\d+", reply.headers["content-range"]
        ):
            raise NotGivenError("The other node gives something else.", reply.status)
        yield FakeIncoming(BytesIO(reply.body))

    def _asked(self, method: str, path: str, body: bytes | None, headers: dict[str, str], largest: int) -> FakeReply:
        if self.closed:
            raise AssertionError("the line is closed")
        client = Client(self._app, headers=headers)
        heard = asyncio.run(client.ask(method, path, body or b""))
        if len(heard.body) > largest:
            raise AssertionError(f"{path} is larger than {largest} bytes")
        return FakeReply(heard.status, heard.headers, heard.body)

    def close(self) -> None:
        self.closed = True


class House:
    """Nodes by address, and lines between them that compare keys as real ones do."""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[NodeId, Application]] = {}
        self.opened: list[Target] = []

    def line(self, target: Target, _stop: Stop | None = None) -> FakeLine:
        self.opened.append(target)
        if target.address not in self.nodes:
            raise OutwardUnreachableError(f"`{target.address}` does not answer.")
        node, app = self.nodes[target.address]
        if node not in target.expected:
            raise NotThisNodeError("Somebody else is there.")
        return FakeLine(node, app)


class FakeNode:
    """Everything of one node that the mesh consists of, with fakes where it meets the rest."""

    def __init__(self, house: House, number: int) -> None:
        self.address = f"127.0.0.{number}"
        self.key = NodeKey(bytes([number]) * 32)
        self.clock = FakeClock()
        self.randomness = FakeRandomness(number)
        self.place = FakePlace(f"node-{number}", (self.address,), 7000 + number, 8000 + number)
        self.shelf, self.library, self.heard = FakeShelf(), FakeLibrary(), FakeHeard()
        self.household = Household(self.key, self.place.name, self.shelf, self.clock, self.randomness)
        self.invites = InviteBook(self.key.node_id, self.clock, self.randomness)
        self.sessions = Sessions(self.household, self.clock, self.randomness)
        self.live = LiveCalls(self.clock)
        self.joining = JoinDesk(self.household, self.invites)
        self.met: list[Met] = []
        self.neighbourhood = Neighbourhood(
            self.key,
            self.household,
            self.place,
            house.line,
            clock=self.clock,
            randomness=self.randomness,
            met=self.met.append,
        )
        self.app = mesh_app(
            Room(
                self.household,
                self.sessions,
                self.joining,
                self.library,
                self.heard,
                self.place,
                self.live,
                self.clock,
            )
        )
        house.nodes[self.address] = (self.key.node_id, self.app)
        asyncio.run(self.household.begin())

    @property
    def id(self) -> NodeId:
        return self.key.node_id

    @property
    def target(self) -> Target:
        return Target(self.address, self.place.mesh, frozenset({self.id}))

    def join(self, founder: "FakeNode") -> None:
        """Come into the founder's household, the long way."""
        endpoint = f"{founder.address}:{founder.place.mesh}"
        invite = founder.invites.make(founder.household.community, (endpoint,))
        signed, lan = self.neighbourhood.join(invite)
        asyncio.run(self.household.enter(signed, lan, invite.node, invite.community))

    def remove(self, node: "FakeNode") -> None:
        asyncio.run(self.household.remove(node.id))
