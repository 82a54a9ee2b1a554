"""A village is a network that does what a test says, and is gone afterwards whatever happened in it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.testing.namespaces import do
from thorp.testing.process import processes_of
from thorp.testing.village import BROADCAST, NO_BROADCAST, ROUTER, Village, filtering

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump")]

GROUP = "239.192.42.1"
HEARING = """
import socket, sys
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("0.0.0.0", 4269))
joining = socket.inet_aton(sys.argv[1]) + socket.inet_aton(sys.argv[2])
wire.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joining)
print("ready", flush=True)
heard = []
while heard[-1:] != ["unicast"]:
    heard.append(wire.recv(2000).decode())
print(*heard, flush=True)
"""
CONNECTING = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
except OSError as error:
    print(type(error).__name__)
"""


def heard(village: Village) -> list[str]:
    """What of the three ways to say something arrives next door."""
    b, x = village.node("b"), village.stranger("x")
    ears = b.begin([sys.executable, "-c", HEARING, GROUP, b.address])
    assert ears.stdout
    assert ears.stdout.readline() == b"ready\n"
    for word, to in (("multicast", GROUP), ("broadcast", BROADCAST), ("unicast", b.address)):
        x.send_udp(word.encode(), to=to, port=4269)
    return ears.stdout.readline().decode().split()


@pytest.fixture
def village() -> Iterator[Village]:
    with Village(("a", "b")) as made:
        yield made


def test_machines_hear_each_other_in_every_way_until_one_is_blocked(village: Village) -> None:
    assert heard(village) == ["multicast", "broadcast", "unicast"]
    village.block_multicast()
    assert heard(village) == ["broadcast", "unicast"]
    village.block_broadcast()
    assert heard(village) == ["unicast"]
    village.unblock()
    assert heard(village) == ["multicast", "broadcast", "unicast"]


def test_a_village_may_be_born_without_them() -> None:
    with Village(("b",), multicast=False, broadcast=False) as village:
        assert heard(village) == ["unicast"]


def test_a_rule_of_ones_own_makes_a_hole_for_one_kind_of_traffic(village: Village) -> None:
    a, x = village.node("a"), village.stranger("x")
    assert x.python(CONNECTING, a.address, "6881", "60") == "ConnectionRefusedError\n"
    village.block("tcp dport 6881 drop")
    assert x.python(CONNECTING, a.address, "6881", "0.2") == "TimeoutError\n"
    assert x.python(CONNECTING, a.address, "6882", "60") == "ConnectionRefusedError\n"


def test_the_uplink_is_cut_with_a_word_or_without(village: Village) -> None:
    a, hub = village.node("a"), village.hub()
    assert a.python(CONNECTING, hub.host, "8080", "60") == "ConnectionRefusedError\n"
    village.cut_hub()
    assert a.python(CONNECTING, hub.host, "8080", "60") == "OSError\n"
    village.cut_hub(silently=True)
    assert a.python(CONNECTING, hub.host, "8080", "0.2") == "TimeoutError\n"
    village.restore_hub()
    assert a.python(CONNECTING, hub.host, "8080", "60") == "ConnectionRefusedError\n"
    village.cut_hub()
    assert a.python(CONNECTING, hub.host, "8080", "60") == "OSError\n"


def test_a_capture_sees_what_machines_send_even_what_the_bridge_drops(village: Village) -> None:
    village.block_multicast()
    with village.capture() as capture:
        assert heard(village) == ["broadcast", "unicast"]
    x, b = village.stranger("x"), village.node("b")
    found = capture.find(proto="udp", src=x.address, dport=4269)
    assert [(one.dst, one.payload) for one in found] == [
        (GROUP, b"multicast"), (BROADCAST, b"broadcast"), (b.address, b"unicast"),
    ]  # fmt: skip
    with village.capture(snap=60) as later:
        x.send_udp(b"y" * 1000, to=b.address, port=4269)
    (cut,) = later.find(proto="udp", dport=4269, begins=b"yyyy")
    assert len(cut.payload) < 60 < cut.size == 1000


def test_every_machine_sends_and_receives_at_the_rate_of_the_village() -> None:
    with Village(("a",), "20mbit", uplink="5mbit") as village:
        x = village.stranger("x")
        rates = village.bridge.do("tc", "qdisc", "show")
        assert (rates.count("rate 20Mbit"), rates.count("rate 5Mbit")) == (2, 1)
        assert "rate 20Mbit" in x.namespace.do("tc", "qdisc", "show")


def test_nothing_leads_out_of_it(village: Village) -> None:
    routes = village.bridge.do("ip", "route").splitlines()
    assert {line.split()[0] for line in routes} == {"10.77.0.0/24", "10.78.0.0/24"}
    for outside in ("192.0.2.1", "1.1.1.1"):
        assert village.node("a").python(CONNECTING, outside, "443", "60") == "OSError\n"
    assert village.node("a").python(CONNECTING, ROUTER, "22", "60") == "ConnectionRefusedError\n"


def test_two_at_once_do_not_know_of_each_other(village: Village) -> None:
    with Village(("a", "c")) as other:
        assert other.node("a").address == village.node("a").address
        assert not {one.name for one in (village.bridge, village.node("a").namespace)} & {
            one.name for one in (other.bridge, other.node("a").namespace)
        }
        assert heard(village) == ["multicast", "broadcast", "unicast"]


def busy(village: Village) -> tuple[list[str], set[int]]:
    """Start everything there is in a village; answers with the names of its namespaces and with its processes."""
    session = village.node("a").start().process.pid
    program = village.stranger("x").begin(["sleep", "1000"])
    script = "import subprocess as s; print(s.Popen(['sleep', '1000'], stdout=-3, stderr=-3).pid)"
    left = int(village.stranger("y").python(script))
    names = [village.bridge, village.node("a").namespace, village.stranger("x").namespace]
    return [one.name for one in names], processes_of(session) | {program.pid, left}


def runs(process: int) -> bool:
    """Whether it does; what has ended and was not reaped does not."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def fail_in(village: Village, told: list[tuple[list[str], set[int]]]) -> None:
    with village:
        told.append(busy(village))
        with village.capture():
            raise ZeroDivisionError


def test_after_a_block_that_fails_nothing_is_left() -> None:
    village, told = Village(("a", "b")), list[tuple[list[str], set[int]]]()
    with pytest.raises(ZeroDivisionError):
        fail_in(village, told)
    ((names, processes),) = told
    assert len(processes) >= 3
    assert [one for one in processes if runs(one)] == []
    assert [one for one in names if one in do("ip", "netns", "list")] == []
    assert not village.folder.exists()


def test_a_village_that_cannot_be_built_leaves_nothing_either() -> None:
    village = Village(("a", "a-name-that-is-much-too-long"))
    with pytest.raises(AssertionError, match="too long a name"), village:
        raise ZeroDivisionError
    assert village.bridge.name.removesuffix("-bridge") not in do("ip", "netns", "list")


def test_names_are_those_of_one_machine_each(village: Village) -> None:
    assert village.stranger("x") is village.stranger("x")
    with pytest.raises(AssertionError, match="no place for `a`"):
        village.stranger("a")
    with pytest.raises(KeyError):
        village.node("x")


def test_what_is_blocked_is_replaced_as_a_whole() -> None:
    assert filtering(()).splitlines()[-1] == "flush chain bridge village passing"
    assert filtering([NO_BROADCAST]).splitlines()[-1].startswith("add rule bridge village passing ether daddr ff:ff")
