"""aria2 and Transmission of somebody in the house fetch what members may have, once the owner lets that machine in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.lan_village import FILE, REF, pull, stock_hub
from tests.e2e.other_clients import aria2, libtorrent, over, transmission
from thorp.testing.machines import Machine, VillageNode
from thorp.testing.process import until
from thorp.testing.village import Village

pytestmark = [
    pytest.mark.network,
    pytest.mark.needs("ip", "tc", "nft", "tcpdump", "aria2c", "transmission-cli"),
]
ASKING = """
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=60) as answer:
        print(answer.status, answer.read().hex())
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().hex())
"""


@dataclass
class House:
    village: Village
    node: VillageNode
    listed: Machine
    other: Machine
    content: bytes

    @property
    def url(self) -> str:
        """Where other clients get the torrent, as the owner is told."""
        shown = until(
            lambda: self.node.told("models", "show", REF)["files"][0]["torrent"], "the torrent has an address"
        )
        return str(shown)

    def asked(self, machine: Machine, url: str) -> tuple[int, bytes]:
        status, _, body = machine.python(ASKING, url).strip().partition(" ")
        return int(status), bytes.fromhex(body)

    def let_in(self, *machines: Machine) -> None:
        self.node.told("config", "set", "swarm.hosts", ",".join(one.address for one in machines))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """One node alone: a tracker needs no household."""
    with Village(("a",)) as village:
        content = stock_hub(village).read_bytes()
        node, listed, other = village.node("a"), village.stranger("x"), village.stranger("y")
        node.told("config", "set", "swarm.tracker", "true")
        node.told("config", "set", "swarm.hosts", listed.address)
        node.start()
        pull(node, REF, "--no-start")
        yield House(village, node, listed, other, content)


def test_aria2_on_a_listed_machine_fetches_the_same_bytes(house: House) -> None:
    ended = aria2(house.listed, house.url)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (house.listed.folder / FILE).read_bytes() == house.content


def test_transmission_does_too(house: House) -> None:
    transmission(house.listed, house.url, FILE, house.content)


def test_E64_a_machine_that_is_not_listed_gets_nothing(house: House, tmp_path: Path) -> None:
    """Neither the torrent, nor a peer, nor, should it have the torrent from somebody, a byte."""
    status, torrent = house.asked(house.listed, house.url)
    assert status == 200
    announce = house.url.partition("/torrents/")[0] + "/announce"
    for url in (house.url, announce, f"{announce}?info_hash=x"):
        status, said = house.asked(house.other, url)
        assert (status, b"Ask the owner" in said, house.node.address.encode() in said) == (403, True, False)
    assert aria2(house.other, house.url).returncode != 0
    (tmp_path / "t").write_bytes(torrent)
    peer = (house.node.address, 7081)
    for utp in (False, True):
        assert over(libtorrent(house.other, str(tmp_path / "t"), tmp_path / "got", peer, utp=utp)) == "cut"
    assert not (tmp_path / "got" / FILE).exists()


def test_a_machine_that_is_struck_off_the_list_gets_no_more(house: House, tmp_path: Path) -> None:
    url, (_, torrent) = house.url, house.asked(house.listed, house.url)
    house.let_in()
    assert house.asked(house.listed, url)[0] == 403
    (tmp_path / "t").write_bytes(torrent)
    until(
        lambda: (
            over(libtorrent(house.listed, str(tmp_path / "t"), tmp_path / "got", (house.node.address, 7081))) == "cut"
        ),
        "the engine has followed",
    )
    house.let_in(house.listed)


def test_what_is_kept_back_is_gone_from_the_tracker(house: House) -> None:
    url = house.url
    house.node.told("unshare", REF)

    assert house.asked(house.listed, url)[0] == 404
    assert house.node.told("models", "show", REF)["files"][0]["torrent"] is None
    house.node.told("share", REF)
    assert house.asked(house.listed, house.url)[0] == 200
