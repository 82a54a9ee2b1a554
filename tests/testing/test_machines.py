"""What machines of a village do, and that nodes on them are real ones."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from thorp.testing.hub import Fault, FaultKind
from thorp.testing.village import HUB, Village

pytestmark = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump")]

GET = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode())
except urllib.error.URLError as error:
    print(getattr(error, "code", "unreachable"))
"""
HEARING = """
import socket
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("0.0.0.0", 4269))
print("ready", flush=True)
while True:
    data, source = wire.recvfrom(2000)
    print(source[0], data.decode(), flush=True)
"""


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(("a", "b"), at=tmp_path) as made:
        yield made


def lines_of(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    assert process.stdout
    return (line.decode().strip() for line in process.stdout)


def test_a_program_runs_where_the_machine_is(village: Village) -> None:
    x = village.stranger("x")
    ended = x.run(["sh", "-c", "pwd; cat; exit 3"], stdin="said")
    assert (ended.returncode, ended.stdout) == (3, f"{x.folder}\nsaid")
    assert x.address in x.python("import subprocess; print(subprocess.check_output(['ip', '-4', 'addr'], text=True))")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        x.python("1 / 0")


def test_a_datagram_comes_from_whom_it_pretends_to_come_from(village: Village) -> None:
    a, b, x = village.node("a"), village.node("b"), village.stranger("x")
    heard = lines_of(b.begin([sys.executable, "-c", HEARING]))
    assert next(heard) == "ready"
    x.send_udp(b"mine", to=b.address, port=4269)
    x.send_udp(b"theirs", b"more", to=b.address, port=4269, source=a.address, source_port=4269, times=2)
    assert [next(heard) for _ in range(5)] == [
        f"{x.address} mine", *(f"{a.address} {word}" for word in ("theirs", "more", "theirs", "more")),
    ]  # fmt: skip


def test_an_unplugged_machine_is_alone_and_back_when_it_is_plugged_in(village: Village) -> None:
    x = village.stranger("x")
    x.unplug()
    assert "NO-CARRIER" in x.namespace.do("ip", "link", "show", "eth0")
    x.plug_in()
    heard = lines_of(village.node("b").begin([sys.executable, "-c", HEARING]))
    assert next(heard) == "ready"
    x.send_udp(b"back", to=village.node("b").address, port=4269)
    assert next(heard) == f"{x.address} back"


def test_nodes_are_real_and_each_has_a_network_of_its_own(village: Village) -> None:
    a, b = village.node("a"), village.node("b")
    processes = {one.name: one.start(flags=("--port", "8737")).process.pid for one in (a, b)}
    assert (a.process.port, b.process.port) == (8737, 8737)
    assert [one.process.status()["node"]["name"] for one in (a, b)] == ["a", "b"]
    assert a.told("status")["node"]["pid"] == processes["a"]
    settings = {
        row["key"]: row["origin"] for row in a.process.owner().request("GET", "/api/v1/config").data["settings"]
    }
    assert (settings["mesh.host"], settings["mesh.port"], settings["node.name"]) == (
        "default",
        "default",
        "environment",
    )
    assert b.process.thorp("status").stdout.startswith("b is running")
    assert a.stop() == 0
    assert b.kill() == -9
    assert a.thorp("status").returncode != 0
    assert b.start().status()["node"]["name"] == "b"


def test_a_node_that_does_not_run_says_so(village: Village) -> None:
    with pytest.raises(AssertionError, match="a does not run"):
        _ = village.node("a").process


def test_a_node_pulls_from_the_hub_beyond_the_bridge_and_not_once_it_is_cut(village: Village, tmp_path: Path) -> None:
    (tmp_path / "stock/org/tiny").mkdir(parents=True)
    (tmp_path / "stock/org/tiny/a.txt").write_bytes(b"hello")
    (tmp_path / "stock/org/tiny/large.bin").write_bytes(b"x" * 20_000_000)
    hub, a = village.hub(tmp_path / "stock"), village.node("a")
    url = f"{hub.url}/org/tiny/resolve/main/a.txt"
    assert hub.url == f"http://{HUB}:8080"
    assert a.python(GET, url) == "hello\n"
    assert len(a.python(GET, url.replace("a.txt", "large.bin"))) == 20_000_001  # by way of the CDN
    assert a.thorp("search", "tiny").returncode == 0
    assert {one["file"] for one in hub.asked()} >= {"a.txt", "large.bin"}
    assert (hub.sent("a.txt"), hub.sent("org/tiny/large.bin")) == (5, 20_000_000)
    village.cut_hub()
    assert a.python(GET, url) == "unreachable\n"
    village.restore_hub()
    assert a.python(GET, url) == "hello\n"
    hub.forget()
    assert hub.asked() == []


def test_a_hub_does_wrong_what_it_is_told_to(village: Village, tmp_path: Path) -> None:
    (tmp_path / "stock/org/tiny").mkdir(parents=True)
    (tmp_path / "stock/org/tiny/a.txt").write_bytes(b"hello")
    hub = village.hub(tmp_path / "stock", Fault(FaultKind.SERVER_ERROR, status=502))
    url = f"{hub.url}/org/tiny/resolve/main/a.txt"
    assert [village.node("a").python(GET, url) for _ in range(2)] == ["502\n", "hello\n"]
    hub.stop()
    assert village.node("a").python(GET, url) == "unreachable\n"
    assert json.loads(hub.log.read_text().splitlines()[0])["status"] == 502
