"""Who is removed from a household is cut off at once; a code or link that was used, or overheard, opens nothing."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from subprocess import Popen

import pytest

from tests.e2e.lan_strangers import AIR, MESH, SWARM, lan_key, lying_listener, stopped
from tests.e2e.lan_village import REF, drop, household, join, meet, neighbours, pull, receipts, refused, shows, status
from tests.e2e.pulls import MIB, a_model
from thorp.testing.capture import Capture
from thorp.testing.machines import VillageNode
from thorp.testing.process import PATIENCE, until
from thorp.testing.village import Village
from thorp.wire.announce import LanKey, PacketRefusedError, open_packet
from thorp.wire.invites import link_of, parse_link

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump")]

GUESTS = tuple(f"c{number}" for number in range(5))  # a machine for each test that removes one
LARGE = 48
SHA256 = 64  # characters
# Four requests, each with what TLS keeps (512 KiB), the piece in hand (256) and two sockets' buffers; and greetings.
UNDER_WAY = 4 * (512 + 256 + 2 * 64) * 1024 + MIB // 2
OWN = "house/Own-2B-GGUF"
LATER = "house/Later-3B-GGUF"


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    """A household of a and b; a has a model of the hub and one of its own, b the first. No hub."""
    with household(("a", "b"), apart=("d", "e", *GUESTS), mib=LARGE) as made:
        pull(made.node("b"))
        made.cut_hub()
        take_in(made.node("a"), OWN, "Own-2B-Q4_K_M.gguf", LARGE)
        shows(made.node("b"), made.node("a"), 2)
        yield made


def take_in(node: VillageNode, name: str, file: str, mib: int) -> None:
    """A model that was never on any hub."""
    made = a_model(node.folder.parent / "own", file, size=mib * MIB, seed=len(name))
    ended = node.thorp("models", "import", str(made), "--name", name, "--license", "apache-2.0")
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def a(village: Village) -> VillageNode:
    return village.node("a")


@pytest.fixture
def b(village: Village) -> VillageNode:
    return village.node("b")


@pytest.fixture
def c(village: Village) -> Iterator[VillageNode]:
    """A member that came just now, on a machine where none was before."""
    node = village.node(next(name for name in GUESTS if not village.node(name).home.exists()))
    node.start(THORP_NODE_NAME="c")
    join(village.node("a"), node)
    until(lambda: {"a", "b"} <= set(neighbours(node)) and "c" in neighbours(village.node("b")), "they hear each other")
    shows(node, village.node("a"), 2)
    yield node
    node.stop()
    remove(village.node("a"), "c")


@pytest.fixture
def d(village: Village) -> Iterator[VillageNode]:
    """The fourth node, new each time."""
    node = village.node("d")
    node.start()
    yield node
    node.stop()
    shutil.rmtree(node.home)


def remove(node: VillageNode, name: str) -> None:
    """Whether it is still in or not."""
    if name in {one["name"] for one in node.told("lan", "peers")["peers"]}:
        ended = node.thorp("lan", "remove", name, "--yes")
        assert ended.returncode == 0, ended.stderr


def fetching(node: VillageNode, ref: str) -> "Popen[bytes]":
    """A slow pull from the neighbours, of which some is there already."""
    words = ["pull", ref, "--from", "lan", "--limit", "2M"]
    program = node.begin([sys.executable, "-m", "thorp", *words])

    def moving() -> bool:
        rows = node.told("transfers")["transfers"]
        return any(row["state"] == "active" and row["done"] > MIB for row in rows)

    until(moving, "bytes come in")
    return program


def fetched_by(node: VillageNode, ref: str) -> None:
    drop(node, ref)
    assert pull(node, ref, "--from", "lan")["state"] == "done"


def small_buffers(*nodes: VillageNode) -> None:
    """What systems keep of a connection is made small, so that what still comes was given after the removal."""
    for one in nodes:
        one.namespace.do("sh", "-c", "cd /proc/sys/net/ipv4; for f in tcp_?mem; do echo 4096 16384 65536 >$f; done")


def came_to(node: VillageNode, capture: Capture, port: int) -> int:
    return sum(one.size for one in capture.find(proto="tcp", dst=node.address, sport=port))


def has_drained(node: VillageNode, to: VillageNode) -> bool:
    """Whether no connection stands, and nothing is left in the kernel that one was given before it was cut."""
    rows = node.namespace.do("ss", "-Htan", f"sport = :{SWARM} and dst {to.address}").splitlines()
    return not any(state == "ESTAB" or int(unsent) for state, _, unsent, *_ in map(str.split, rows))


def has_nothing(node: VillageNode) -> bool:
    return not receipts(node) and not [
        one for one in node.home.glob("hub/models--*/blobs/*") if len(one.name) == SHA256
    ]


def test_E67_a_removed_member_s_torrent_stops_while_others_go_on(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    """What was under way has drained, and b fetches it once more; then not one byte comes."""
    small_buffers(a, b, c)
    program = fetching(c, REF)
    remove(a, "c")
    until(lambda: status(b)["household"]["members"] == 2, "b has heard of it")
    until(lambda: has_drained(a, c) and has_drained(b, c), "what was under way has drained")
    with village.capture(snap=128) as capture:
        fetched_by(b, REF)
        assert program.poll() is None, "it still tries"
    program.kill()
    assert came_to(c, capture, SWARM) == 0
    assert came_to(b, capture, SWARM) > LARGE * MIB
    assert has_nothing(c)
    assert {*neighbours(a), *neighbours(b)} == {"a", "b"}


def test_E67_a_removed_member_s_file_stops_and_never_ends(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    """What its requests had under way still comes, and nothing after that."""
    small_buffers(a, b, c)
    program = fetching(c, OWN)
    remove(a, "c")
    with village.capture(snap=128) as capture:
        assert program.wait(PATIENCE) != 0
    assert came_to(c, capture, MESH) < UNDER_WAY < LARGE * MIB / 8
    assert has_nothing(c)
    fetched_by(b, OWN)


def test_E67_a_removed_member_learns_nothing_new(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    old, before = lan_key(c), refused(c)["newer_epoch"]
    with village.capture() as capture:
        remove(a, "c")
        take_in(a, LATER, "Later-3B-Q4_K_M.gguf", 1)
        shows(b, a, 3)
        until(lambda: status(c)["refused"].get("newer_epoch", 0) > before, "c hears what it cannot open")
    assert refused(c)["newer_epoch"] > before
    assert LATER in b.thorp("search", "--lan", "later").stdout
    ended = c.thorp("search", "--lan", "later", "--json")
    assert LATER not in ended.stdout
    until(lambda: "removed this node" in status(c)["notice"], "it has asked somebody, so it knows")
    assert c.thorp("pull", f"{LATER}:q4_k_m", "--from", "lan").returncode != 0
    new = lan_key(a)
    assert (new.epoch, lan_key(b)) == (old.epoch + 1, new)
    said = [one.payload for one in capture.find(proto="udp", src=a.address, dport=AIR)]
    later = [one for one in said if int.from_bytes(one[5:9], "big") == new.epoch]
    assert later
    for one in later:
        with pytest.raises(PacketRefusedError):
            open_packet(one, {old.epoch: old, new.epoch: LanKey(new.epoch, old.secret)})
    assert a.thorp("models", "rm", LATER, "--yes").returncode == 0


def test_E57_what_a_removed_member_says_is_refused_though_its_secret_is_in_grace(
    a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    before = refused(a)["removed"]
    remove(a, "c")
    until(lambda: status(b)["household"]["members"] == 2, "b has heard of it")
    c.stop()
    c.start()
    until(lambda: status(a)["refused"].get("removed", 0) > before, "a hears c and does not believe it")
    assert refused(a)["removed"] > before
    assert "c" not in {*neighbours(a), *neighbours(b)}


def test_E67_who_was_away_when_a_member_was_removed_learns_it_when_back(
    a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    b.stop()
    remove(a, "c")
    b.start()
    until(lambda: status(b)["household"]["members"] == 2, "b has heard of it")
    assert "c" not in neighbours(b)
    until(lambda: lan_key(b) == lan_key(a), "b has the new secret")


# Links.


def fails(node: VillageNode, *words: str) -> str:
    """What a command says that has to fail, and to print nothing else."""
    ended = node.thorp(*words)
    assert (ended.returncode != 0, ended.stdout) == (True, ""), ended
    return ended.stderr


def test_E56_a_link_photographed_after_its_use_opens_nothing(village: Village, a: VillageNode, d: VillageNode) -> None:
    guest, link = village.node("e"), a.told("lan", "invite")["link"]
    guest.start()
    with village.capture() as capture:
        assert guest.thorp("lan", "join", link).returncode == 0
    version, invite = status(a)["household"]["version"], parse_link(link)
    assert "was used" in fails(d, "lan", "join", link)
    for other in (replace(invite, secret=b"s" * 16), replace(invite, community="0" * 32)):
        fails(d, "lan", "join", link_of(other))
    fails(d, "lan", "join", link[:-4])
    assert status(d)["household"]["members"] == 1
    assert status(a)["household"]["version"] == version
    for secret in (invite.secret, lan_key(a).secret, link.encode()[-40:]):
        assert not capture.holds(secret), "nobody who listens in learns it"
    remove(a, "e")


def test_E56_a_link_that_leads_to_a_stranger_s_address_tells_the_stranger_nothing(
    village: Village, a: VillageNode, d: VillageNode
) -> None:
    x = village.stranger("x")
    liar, invite = lying_listener(x), parse_link(a.told("lan", "invite")["link"])
    fails(d, "lan", "join", link_of(replace(invite, endpoints=(f"{x.address}:{MESH}",))))
    liar.one_call()
    stopped(liar.program)
    assert liar.heard == ["met", "left"]


def test_E56_a_restart_of_the_founder_voids_its_invites(a: VillageNode, b: VillageNode, d: VillageNode) -> None:
    link = a.told("lan", "invite")["link"]
    a.stop()
    a.start()
    assert "does not let you in" in fails(d, "lan", "join", link)
    assert status(d)["household"]["members"] == 1
    meet((a, b))
