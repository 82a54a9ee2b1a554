import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thorp.base.clock import SystemClock
from thorp.identity.ids import NodeId
from thorp.mesh.calls import HEARD_AGAIN_AFTER, MOST_TOKENS, SPARE, WHOLE_SECONDS, Met, Neighbourhood, Tokens, opener
from thorp.mesh.ports import Blob
from thorp.mesh.replies import NeighbourRefusedError, NotGreetedError, NotThereError
from thorp.net.facts import ListenerFacts
from thorp.net.listen import TcpListener
from thorp.net.mesh_line import NeighbourSlowError, NotGivenError, NotThisNodeError, Target
from thorp.net.mesh_tls import mesh_server_context, node_certificate
from thorp.net.outward_errors import OutwardStoppedError
from thorp.net.outward_line import Stop, stopped
from thorp.testing.clock import FakeClock
from thorp.testing.mesh import FakeLine, FakeNode, House
from thorp.wire.shared import BadListError, SharedList, list_digest

CONTENT = bytes(range(256)) * 2048
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def founder(house: House) -> FakeNode:
    return FakeNode(house, 1)


@pytest.fixture
def member(house: House, founder: FakeNode) -> FakeNode:
    node = FakeNode(house, 2)
    node.join(founder)
    return node


def test_a_greeting_tells_both_sides_that_the_other_is_here(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)

    assert member.met[0] == Met(founder.id, founder.address, 7001, 8001, 2)
    assert founder.heard.calls[0] == (member.id, "127.0.0.1", 8002, 7002)


def test_whoever_answers_is_here_also_without_another_greeting(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)
    member.met.clear()
    member.neighbourhood.models(founder.target)

    assert member.met == [Met(founder.id, founder.address, 7001, 8001, 2, greeted=False)]


def test_whoever_sends_bytes_for_long_is_here_meanwhile(founder: FakeNode, member: FakeNode, tmp_path: Path) -> None:
    shared(founder, tmp_path)
    buffer, heard = memoryview(bytearray(10)), []
    with member.neighbourhood.file(founder.target, NAME, 0, 1000) as incoming:
        member.met.clear()
        for _ in range(6):
            incoming.readinto(buffer)
            heard.append(len(member.met))
            member.clock.advance(HEARD_AGAIN_AFTER / 2)

    assert heard == [1, 1, 2, 2, 3, 3]
    assert {one.node for one in member.met} == {founder.id}


def greetings(node: FakeNode) -> int:
    return sum(one.greeted for one in node.met)


def test_one_session_serves_many_questions(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)
    member.neighbourhood.models(founder.target)

    assert greetings(member) == 1


def test_after_a_restart_of_the_other_a_new_session_is_opened(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)
    founder.sessions._sessions.clear()

    assert member.neighbourhood.household(founder.target).household == founder.household.standing.signed
    assert greetings(member) == 2


def test_a_session_is_renewed_before_its_end(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)
    member.clock.advance(3600 - SPARE)
    member.neighbourhood.household(founder.target)

    assert greetings(member) == 2


def meanwhile(founder: FakeNode, happens: Callable[[], None]) -> Callable[[Target, Stop | None], FakeLine]:
    """Lines to the founder, on each of whose questions something happens before the answer comes."""

    class Line(FakeLine):
        stop: Stop | None = None

        def ask(self, method: str, path: str, **options: Any) -> Any:
            stopped(self.stop)
            happens()
            stopped(self.stop)
            return super().ask(method, path, **options)

    def opened(_target: Target, stop: Stop | None) -> Line:
        line = Line(founder.id, founder.app)
        line.stop = stop
        return line

    return opened


@pytest.mark.parametrize(
    "ask",
    [
        lambda calls, target: calls.household(target),
        lambda calls, target: calls.models(target),
        lambda calls, target: calls.torrent(target, "a" * 40),
    ],
    ids=["household", "models", "torrent"],
)
def test_one_deadline_holds_for_everything_that_a_question_takes(
    founder: FakeNode, member: FakeNode, ask: Callable[[Neighbourhood, Target], object]
) -> None:
    """Each answer takes a good part of the time; none of them alone takes too much."""
    member.neighbourhood.opened = meanwhile(founder, lambda: member.clock.advance(WHOLE_SECONDS / 2))
    with pytest.raises(NeighbourSlowError, match="15 s"):
        ask(member.neighbourhood, founder.target)


def test_the_end_of_the_node_breaks_off_every_question(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.opened = meanwhile(founder, member.neighbourhood.over.set)
    with pytest.raises(OutwardStoppedError):
        member.neighbourhood.household(founder.target)


def test_a_stranger_is_not_greeted(house: House, founder: FakeNode) -> None:
    with pytest.raises(NotGreetedError):
        FakeNode(house, 3).neighbourhood.household(founder.target)


def test_E67_a_removed_node_learns_so(founder: FakeNode, member: FakeNode) -> None:
    member.neighbourhood.household(founder.target)
    founder.remove(member)

    with pytest.raises(NeighbourRefusedError) as refused:
        member.neighbourhood.household(founder.target)
    assert refused.value.details["said"] == "mesh.removed"


def test_E67_who_is_not_greeted_any_more_hears_of_it_whatever_it_asks(founder: FakeNode, member: FakeNode) -> None:
    told: list[str] = []
    member.neighbourhood.refused = lambda node, _target: told.append(node)
    founder.remove(member)

    with pytest.raises(NeighbourRefusedError):
        member.neighbourhood.models(founder.target)
    assert told == [founder.id]


def test_E57_nothing_is_asked_of_another_node_at_that_address(founder: FakeNode, member: FakeNode) -> None:
    with pytest.raises(NotThisNodeError):
        member.neighbourhood.household(Target(founder.address, 7001, frozenset({member.id})))


def test_a_list_that_is_not_the_neighbours_own_is_refused(house: House, founder: FakeNode, member: FakeNode) -> None:
    class Relaying(FakeLine):
        def _asked(self, method: str, path: str, *rest: Any) -> Any:
            reply = super()._asked(method, path, *rest)
            return type(reply)(reply.status, reply.headers, reply.body.replace(self.node.encode(), b"ed25519:other"))

    member.neighbourhood.opened = lambda target, stop: Relaying(founder.id, founder.app)
    with pytest.raises(BadListError):
        member.neighbourhood.models(founder.target)


def test_a_list_that_is_known_is_not_sent(founder: FakeNode, member: FakeNode) -> None:
    assert member.neighbourhood.models(founder.target, list_digest(())) is None
    assert member.neighbourhood.models(founder.target, "0" * 64) == SharedList(node=founder.id, models=())


def test_torrents_are_given_or_not_there(founder: FakeNode, member: FakeNode) -> None:
    founder.library.torrents["a" * 40] = b"de"

    assert member.neighbourhood.torrent(founder.target, "a" * 40) == b"de"
    with pytest.raises(NotThereError):
        member.neighbourhood.torrent(founder.target, "b" * 40)


def read(node: FakeNode, target: Target, first: int, end: int) -> bytes:
    came, buffer = bytearray(), memoryview(bytearray(100_000))
    with node.neighbourhood.file(target, NAME, first, end) as incoming:
        while count := incoming.readinto(buffer):
            came += buffer[:count]
    return bytes(came)


def shared(founder: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(CONTENT)
    founder.library.blobs[NAME] = Blob(str(tmp_path / "blob"), len(CONTENT), shareable=True)


def test_files_are_read_also_with_a_session_that_ended(founder: FakeNode, member: FakeNode, tmp_path: Path) -> None:
    shared(founder, tmp_path)

    assert read(member, founder.target, 5, 300_000) == CONTENT[5:300_000]
    founder.sessions._sessions.clear()
    assert read(member, founder.target, 0, 10) == CONTENT[:10]


def test_a_file_that_is_not_shared_says_so_once(founder: FakeNode, member: FakeNode) -> None:
    with pytest.raises(NotGivenError) as refused:
        read(member, founder.target, 0, 10)
    assert refused.value.answered == 404


def test_tokens_are_bounded_and_go_to_their_node_alone() -> None:
    tokens = Tokens(FakeClock())
    for number in range(MOST_TOKENS + 1):
        tokens.keep(Met(NodeId(f"node-{number}"), "127.0.0.1", 1, 2, 3), f"token-{number}", 3600)

    assert tokens.of("node-0") == ""
    assert tokens.of("node-1") == "token-1"
    assert "token" not in repr(tokens._tokens["node-1"])
    tokens.drop("node-1")
    assert tokens.of("node-1") == ""


class Outside(House):
    """The same nodes, with real sockets and TLS between them."""

    def line(self, target: Target, _stop: Stop | None = None) -> Any:
        return opener(SystemClock())(target, _stop)


async def behind_a_listener(node: FakeNode, number: int, ask: Callable[[], Any]) -> Any:
    """What a thread gets while the node answers on a port."""
    context = mesh_server_context(node_certificate(bytes([number]) * 32))
    listener = TcpListener(ListenerFacts("mesh"), node.address, 0, node.app, tls=context, setting="mesh.port")
    await listener.start()
    try:
        node.place.mesh = listener.port
        return await asyncio.to_thread(ask)
    finally:
        listener.stop_accepting()
        await listener.drain(1)


def test_the_whole_way_over_tls(tmp_path: Path) -> None:
    house = Outside()
    founder, member, stranger = (FakeNode(house, number) for number in (1, 2, 3))
    shared(founder, tmp_path)

    def ask() -> tuple[bytes, list[Met]]:
        member.join(founder)
        got = read(member, founder.target, 7, len(CONTENT))
        with pytest.raises(NotGreetedError):
            stranger.neighbourhood.models(founder.target)
        with pytest.raises(NotThisNodeError):
            member.neighbourhood.models(Target(founder.address, founder.place.mesh, frozenset({stranger.id})))
        return got, member.met

    got, met = asyncio.run(behind_a_listener(founder, 1, ask))
    assert got == CONTENT[7:]
    assert {one.node for one in met} == {founder.id}
    assert {address for _, address, _, _ in founder.heard.calls} == {"127.0.0.1"}
