"""Strangers, liars and floods beside a household of real nodes: nothing accepted, nobody kept from it, counted."""

import hashlib
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.lan_strangers import (
    AIR,
    GROUP,
    SWARM,
    THIEF,
    Claiming,
    flooding,
    knocking,
    lan_key,
    lying_listener,
    node_key,
    packet,
    stopped,
    with_aria2,
    with_libtorrent,
)
from tests.e2e.lan_village import (
    FILE,
    REF,
    begin_at,
    drop,
    household,
    join,
    meet,
    neighbours,
    pull,
    receipts,
    refused,
    shows,
    status,
    torrents,
)
from thorp.testing.machines import Machine, VillageNode
from thorp.testing.process import until
from thorp.testing.village import Village
from thorp.wire.announce import LanKey

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump", "aria2c", "faketime")]

BITTORRENT = b"\x13BitTorrent protocol"
# What the engine of a household never says: DHT, its answers, PEX, LSD, UPnP, a tracker's announce.
SEARCHING = (b"d1:ad2:id20:", b"d1:rd2:id20:", b"ut_pex", b"BT-SEARCH", b"M-SEARCH", b"info_hash=")


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    """a, b and c are a household, and a and b have the model; d and e are others, and x is nobody's. No hub."""
    with household(apart=("d", "e")) as made:
        pull(made.node("b"))
        made.cut_hub()
        yield made


@pytest.fixture
def a(village: Village) -> VillageNode:
    return village.node("a")


@pytest.fixture
def b(village: Village) -> VillageNode:
    return village.node("b")


@pytest.fixture
def c(village: Village) -> VillageNode:
    return village.node("c")


@pytest.fixture
def d(village: Village) -> Iterator[VillageNode]:
    """A fourth node, which is a household with a fifth."""
    both = village.node("d"), village.node("e")
    for node in both:
        node.start()
    join(*both)
    yield both[0]
    for node in both:
        node.stop()


@pytest.fixture
def x(village: Village) -> Machine:
    return village.stranger("x")


def known(node: VillageNode) -> set[str]:
    return set(neighbours(node))


def counts(node: VillageNode, reason: str, before: int) -> None:
    """Wait until a node has counted one more of these, and see that its owner is told."""
    until(lambda: status(node)["refused"].get(reason, 0) > before, f"{node.name} counts a packet as `{reason}`")
    assert refused(node)[reason] > before


def community(node: VillageNode) -> str:
    return status(node)["household"]["community"]


# Who is no member.


def test_E57_a_fourth_node_without_the_secret_is_nobody_to_the_house_and_gets_nothing(
    a: VillageNode, b: VillageNode, d: VillageNode, x: Machine
) -> None:
    before = refused(a)["seal"]
    d.stop()
    d.start()
    counts(a, "seal", before)
    x.send_udp(packet(node_key(a), lan_key(a), a.address), to=d.address, port=AIR, source=a.address)
    counts(d, "seal", 0)
    assert known(a) == {"b", "c"}
    assert known(b) == {"a", "c"}
    assert known(d) <= {"e"}
    ended = d.thorp("pull", REF)
    assert (ended.returncode != 0, ended.stdout) == (True, "")
    assert receipts(d) == []
    assert json.loads(d.thorp("search", "--lan", "tiny", "--json").stdout or "{}").get("models", []) == []


def test_E57_a_wrong_secret_of_the_right_epoch_opens_nothing(a: VillageNode, x: Machine) -> None:
    before = refused(a)["seal"]
    wrong = LanKey(lan_key(a).epoch, b"w" * 32)
    x.send_udp(packet(THIEF, wrong, x.address), to=GROUP, port=AIR)
    counts(a, "seal", before)
    assert known(a) == {"b", "c"}


def test_E57_the_stolen_secret_alone_makes_nobody_a_member(a: VillageNode, b: VillageNode, x: Machine) -> None:
    """Announced with the right secret by a key that is in no roster: not a neighbour, no session, no byte."""
    before = refused(a)["stranger"]
    x.send_udp(packet(THIEF, lan_key(a), x.address), to=a.address, port=AIR)
    counts(a, "stranger", before)
    assert known(a) == {"b", "c"}
    ((infohash, torrent),) = torrents(a).items()
    sha256 = receipts(a)[0]["files"][0]["sha256"]
    paths = ("household", "models", f"torrents/{infohash}", f"files/{sha256}")
    answers = knocking(x, a, community(a), *(f"/mesh/v1/{one}" for one in paths))
    assert {(status, body) for _, status, body in answers} == {(401, answers[0][2])}
    assert len(answers) == 9
    got = with_libtorrent(x, torrent, a.address, b.address)
    assert (got["bytes"], got["whole"]) == (0, False)


def test_E57_a_packet_with_another_node_s_id_is_refused_by_its_signature(
    a: VillageNode, b: VillageNode, x: Machine
) -> None:
    before = refused(a)["signature"]
    forged = packet(Claiming(node_key(b).node_id), lan_key(a), x.address)
    x.send_udp(forged, to=a.address, port=AIR)
    counts(a, "signature", before)
    assert neighbours(a)["b"]["address"] == b.address


def test_E57_a_member_s_own_packet_from_another_address_is_refused(a: VillageNode, b: VillageNode, x: Machine) -> None:
    before = refused(a)["wrong_address"]
    x.send_udp(packet(node_key(b), lan_key(a), b.address), to=a.address, port=AIR)
    counts(a, "wrong_address", before)
    assert neighbours(a)["b"]["address"] == b.address


def test_E57_who_is_lured_to_a_stranger_s_listener_leaves_without_a_word(village: Village, a: VillageNode) -> None:
    """Anybody can send a packet that claims a newer secret; the call that follows is pinned to members' keys."""
    y = village.stranger("y")  # nobody who was called a short time ago
    liar, before = lying_listener(y), refused(a)["newer_epoch"]
    newer = packet(THIEF, LanKey(99, b"w" * 32), y.address)
    y.send_udp(newer, to=a.address, port=AIR)
    counts(a, "newer_epoch", before)
    liar.one_call()
    stopped(liar.program)
    assert liar.heard == ["met", "left"]
    assert status(a)["household"]["epoch"] == 1


# What was heard before.


def test_E58_a_sniffed_packet_is_refused_when_it_comes_again(
    village: Village, a: VillageNode, b: VillageNode, x: Machine
) -> None:
    """Also from the address of the one who sent it, and after a restart of the one who hears it."""
    with village.capture() as capture:
        b.stop()
        b.start()
        until(lambda: capture.find(proto="udp", src=b.address, dport=AIR), "b speaks")
        meet((a, b))
    sniffed = capture.find(proto="udp", src=b.address, dport=AIR)[-1].payload
    try:
        b.stop()
        for _ in range(2):
            before = refused(a)["replayed"]

            def again(before: int = before) -> bool:
                x.send_udp(sniffed, to=a.address, port=AIR, source=b.address, source_port=AIR)
                return status(a)["refused"].get("replayed", 0) > before

            until(again, "the packet is too old to have come by another way")
            a.stop()
            a.start()
            assert "b" not in known(a)
    finally:
        b.start()
        meet((a, b, village.node("c")))


# Floods.


def drops(node: VillageNode) -> int:
    """What the system threw away because the node did not take it fast enough."""
    rows = node.namespace.do("cat", "/proc/net/udp").splitlines()[1:]
    return sum(int(row.split()[-1]) for row in rows if row.split()[1].endswith(f":{AIR:04X}"))


def test_E59_a_flood_of_100_000_packets_keeps_nobody_from_anything(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode, x: Machine
) -> None:
    """From the stranger, a hundred invented neighbours, members and elsewhere, some with the stolen secret."""
    lan, before, lost = lan_key(a), refused(a), drops(a)
    kinds = [packet(THIEF, lan, x.address), packet(THIEF, LanKey(lan.epoch, b"w" * 32), x.address), b"y" * 400]
    kinds += [packet(node_key(b), lan, b.address, seq=1), packet(THIEF, LanKey(7, b"w" * 32), x.address), b"z" * 1300]
    many = [x.address, b.address, "192.0.2.7", *(f"10.77.0.{one}" for one in range(100, 200))]
    drop(c)
    flood = flooding(x, a.address, 100_000, many, *kinds)
    assert pull(c)["state"] == "done"
    b.stop()
    b.start()  # what it says while a is shouted at is heard
    until(lambda: neighbours(b).get("a", {}).get("by") == "packet", "b hears a's answer to its first word")
    sent, after = flood.enough(), refused(a)
    counted, thrown = sum((after - before).values()), drops(a) - lost
    assert known(a) == {"b", "c"}
    assert {"flood", "seal", "off_subnet"} <= set(after - before)
    assert sent <= counted + thrown < sent + 100, "each one is counted, here or by the system"
    c.stop()
    c.start()
    meet((a, b, c))
    assert receipts(c)[0]["files"][0]["sha256"] == receipts(a)[0]["files"][0]["sha256"]


# Who knows infohash, port and torrent.


@pytest.fixture
def wanted(a: VillageNode) -> bytes:
    (torrent,) = torrents(a).values()
    return torrent


@contextmanager
def without_a_byte(village: Village, x: Machine) -> Generator[None]:
    """Nothing at all comes from the household's swarm port in this block, however often somebody asks it."""
    with village.capture() as capture:
        yield
    given = [one for one in capture.find(proto="tcp", dst=x.address, sport=SWARM) if one.size]
    assert given == []
    assert capture.find(proto="tcp", src=x.address, dport=SWARM), "it did ask"


def test_E64_a_stranger_s_libtorrent_gets_no_byte_before_the_owner_says_so(
    village: Village, a: VillageNode, b: VillageNode, x: Machine, wanted: bytes
) -> None:
    with without_a_byte(village, x):
        got = with_libtorrent(x, wanted, a.address, b.address)
        assert (got["bytes"], got["whole"]) == (0, False)
        assert min(got["ended"]) >= 3
    assert a.thorp("config", "set", "swarm.hosts", x.address).returncode == 0
    try:
        assert with_libtorrent(x, wanted, a.address, tries=1000)["whole"]
    finally:
        assert a.thorp("config", "unset", "swarm.hosts").returncode == 0


def test_E64_a_stranger_s_aria2_gets_no_byte_before_the_owner_says_so(
    village: Village, a: VillageNode, b: VillageNode, wanted: bytes
) -> None:
    y = village.stranger("z")
    with without_a_byte(village, y):
        assert with_aria2(y, wanted, a.address, b.address) != 0
    assert a.thorp("config", "set", "swarm.hosts", y.address).returncode == 0
    try:
        assert with_aria2(y, wanted, a.address, b.address) == 0
    finally:
        assert a.thorp("config", "unset", "swarm.hosts").returncode == 0
    assert hashlib.sha256((y.folder / FILE).read_bytes()).hexdigest() == receipts(a)[0]["files"][0]["sha256"]


# Neighbours that lie.


def spoil(node: VillageNode) -> None:
    """Other bytes of the same length, behind the node's back."""
    (blob,) = (one for one in node.home.glob("hub/models--*/blobs/*") if len(one.name) == 64)
    content = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(bytes(one ^ 1 for one in content))


def test_E62_wrong_bytes_of_a_neighbour_are_never_taken_and_another_one_helps_out(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    drop(c)
    shows(c, b)
    spoil(b)
    a.stop()
    try:
        ended = c.thorp("pull", REF, "--from", "lan")
        assert (ended.returncode, ended.stdout) == (6, "")
        assert "other bytes than its hash says" in ended.stderr
        assert (receipts(c), blobs(c)) == ([], [])
    finally:
        a.start()
    meet((a, b, c))
    assert pull(c)["state"] == "done"
    assert blobs(c) == blobs(a)
    drop(b)
    assert pull(b)["state"] == "done"
    assert blobs(b) == blobs(a)


def blobs(node: VillageNode) -> list[str]:
    """What really lies there under the name of a hash."""
    found = (one for one in node.home.glob("hub/models--*/blobs/*") if len(one.name) == 64)
    return [hashlib.sha256(one.read_bytes()).hexdigest() for one in found]


# What leaks.


def test_E76_household_torrents_touch_no_dht_no_pex_and_no_tracker(
    village: Village, a: VillageNode, b: VillageNode, c: VillageNode
) -> None:
    drop(c)
    c.stop()
    c.start()  # it may remember a torrent that led to wrong bytes
    meet((a, b, c))
    village.restore_hub()
    try:
        with village.capture() as capture:
            assert pull(c, REF, "--from", "lan")["state"] == "done"
            meet((a, b, c))
    finally:
        village.cut_hub()
    swarm = [one for one in capture.seen if one.proto == "tcp" and SWARM in (one.sport, one.dport)]
    assert any(one.payload.startswith(BITTORRENT) for one in swarm)
    assert [text for text in SEARCHING if capture.holds(text)] == []
    assert {one.dport for one in capture.seen if one.proto == "udp"} <= {AIR, 5353}
    assert {one.src for one in swarm} <= {a.address, b.address, c.address}
    for infohash in torrents(a):
        assert not [one for one in capture.seen if one.proto == "udp" and bytes.fromhex(infohash) in one.payload]


# Clocks.


def test_E69_a_clock_a_year_off_changes_nothing(a: VillageNode, c: VillageNode) -> None:
    """Joined a year ahead, met again two years earlier: nobody's clock decides whom one believes."""
    c.stop()
    begin_at(c, "+365d")
    meet((a, c))
    drop(c)
    assert pull(c)["state"] == "done"
    c.stop()
    begin_at(c, "-365d")
    meet((a, c))
    drop(c)
    assert pull(c)["state"] == "done"
    c.stop()
    c.start()
    meet((a, c))
