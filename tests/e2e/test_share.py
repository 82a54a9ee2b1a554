"""Sharing on purpose, by real nodes: with the household, and with everybody; and ceasing to, at once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lan_village import FILE, REF, join, meet, pull, receipts, shows, stock_hub, torrents
from tests.e2e.library_house import Home, gguf
from tests.e2e.library_stock import NAME, REPO, TOKEN, three_repos
from tests.e2e.other_clients import heard, libtorrent, over
from tests.models.repositories import GGUF, a_gguf, repository
from thorp.testing.machines import VillageNode
from thorp.testing.process import until
from thorp.testing.village import Village

VILLAGE = [pytest.mark.network, pytest.mark.needs("ip", "tc", "nft", "tcpdump")]
AT_HOME = [*VILLAGE, pytest.mark.needs("git", "git-lfs")]
PUBLIC = ("--public", "--license", "apache-2.0", "--yes")
BAD, REFUSED, OFF = 6, 2, 8
EVERYBODY = 6881


def marked(marks: list[pytest.MarkDecorator]) -> pytest.MarkDecorator:
    """All of them, for one test."""

    def mark(test):
        for one in marks:
            test = one(test)
        return test

    return mark


at_home, in_village = marked(AT_HOME), marked(VILLAGE)


@pytest.fixture(scope="module")
def village() -> Iterator[Village]:
    """Two members without a hub, and somebody else on their network."""
    with Village(("a", "b")) as village:
        stock_hub(village)
        for node in (a := village.node("a"), b := village.node("b")):
            node.start()
        pull(a, REF, "--no-start")
        village.cut_hub()
        join(a, b)
        meet((a, b))
        shows(b, a)
        yield village


@pytest.fixture
def a(village: Village) -> VillageNode:
    return village.node("a")


@pytest.fixture
def b(village: Village) -> VillageNode:
    return village.node("b")


def publication(node: VillageNode, repo: str) -> Path:
    (found,) = node.home.glob(f"data/receipts/{repo}/**/publication.json")
    return found


def fetched(b: VillageNode, a: VillageNode, ref: str, path: str) -> bytes:
    """What the other one has after its pull, without a hub; it is gone again afterwards."""
    pull(b, ref, "--from", "lan")
    shown = b.told("models", "show", ref)
    assert shown["source"]["kind"] == "lan"
    assert shown["claimed_by"] == a.process.ready.node_id
    (content,) = (Path(one["at"]).read_bytes() for one in shown["files"] if one["path"] == path)
    b.told("models", "rm", ref, "--yes")
    return content


@at_home
def test_a_model_of_the_library_goes_with_a_signed_manifest(a: VillageNode, b: VillageNode) -> None:
    (row,) = a.told("share", REF, "--license", "apache-2.0", "--tag", "tiny")["shared"]

    assert (row["public"], row["signed"], row["magnets"]) == (False, True, [])
    assert row["publisher"] == a.process.ready.node_id
    said = json.loads(publication(a, "org/Tiny-1B-GGUF").read_bytes())["publication"]
    assert (said["license"], said["tags"]) == ("apache-2.0", ["tiny"])
    content = Path(a.told("models", "show", REF)["files"][0]["at"]).read_bytes()
    assert fetched(b, a, REF, FILE) == content


@at_home
def test_a_folder_is_imported_sealed_and_pulled_by_a_neighbour(
    village: Village, a: VillageNode, b: VillageNode
) -> None:
    mine = gguf(village.folder / "mine", "Own-1B-Q8_0.gguf", seed=3, pad_to=3_000_000)
    (row,) = a.told("share", str(mine.parent), "--name", "me/own", "--license", "mit")["shared"]

    assert (row["name"], row["license"], len(row["infohashes"])) == ("me/own", "mit", 1)
    assert set(row["infohashes"]) <= torrents(a).keys()
    until(lambda: b.thorp("pull", "me/own", "--from", "lan").returncode == 0, "the neighbour lists it")
    assert fetched(b, a, "me/own", mine.name) == mine.read_bytes()
    assert a.told("models", "show", "me/own")["shared"] == "household"
    a.told("unshare", "me/own")
    assert a.told("models", "show", "me/own")["shared"] == "nobody"
    assert not set(row["infohashes"]) & torrents(a).keys()


@at_home
def test_a_repository_with_lfs_is_cloned_imported_and_pulled(village: Village, a: VillageNode, b: VillageNode) -> None:
    content = a_gguf(village.folder, seed=5)
    folder = repository(village.folder / "git", {GGUF: content, "README.md": b"---\nlicense: mit\n---\n"})
    (row,) = a.told("share", f"file://{folder}", "--name", "me/cloned")["shared"]

    assert (row["name"], row["license"], row["signed"]) == ("me/cloned", "mit", True)
    assert a.told("models", "show", "me/cloned")["source"]["kind"] == "git"
    assert not list(a.home.glob("data/publishing/*"))
    until(lambda: b.thorp("pull", "me/cloned", "--from", "lan").returncode == 0, "the neighbour lists it")
    assert fetched(b, a, "me/cloned", GGUF) == content


@at_home
def test_a_changed_manifest_is_refused_by_who_pulls(village: Village, a: VillageNode, b: VillageNode) -> None:
    mine = gguf(village.folder / "signed", "Signed-1B-Q8_0.gguf", seed=7)
    a.told("share", str(mine.parent), "--name", "me/signed", "--license", "mit")
    at = publication(a, "me/signed")
    whole = at.read_bytes()
    at.write_bytes(whole.replace(b'"license":"mit"', b'"license":"mpl"'))
    a.told("models", "rescan")

    def refused() -> bool:
        ended = b.thorp("pull", "me/signed", "--from", "lan", "--json")
        return "wire.bad_publication" in ended.stdout + ended.stderr and ended.returncode == BAD

    until(refused, "the neighbour sees the changed manifest")
    assert not [one for one in receipts(b) if one["repo"] == "me/signed"]
    at.write_bytes(whole)
    a.told("models", "rescan")
    until(lambda: b.thorp("pull", "me/signed", "--from", "lan").returncode == 0, "the manifest is as it was signed")


@at_home
def test_everybody_gets_what_is_public_and_nothing_after_unshare(village: Village, a: VillageNode) -> None:
    x = village.stranger("x")
    ended = a.thorp("share", REF, *PUBLIC)
    assert (ended.returncode, "thorp config set swarm.public true" in ended.stderr.replace("\n", " ")) == (OFF, True)
    a.told("config", "set", "swarm.bootstrap", f"{x.address}:{EVERYBODY}")  # of their own network: a private one
    a.told("config", "set", "swarm.public", "true")
    (row,) = a.told("share", REF, *PUBLIC)["shared"]
    model = a.told("models", "show", REF)
    assert model["shared"] == "everybody"
    shown = model["files"][0]
    assert row["magnets"] == [shown["magnet"]]
    peer = (a.address, EVERYBODY)
    assert over(libtorrent(x, shown["magnet"], x.folder / "magnet", peer, utp=True)) == "done"
    content = Path(shown["at"]).read_bytes()
    assert (x.folder / "magnet" / FILE).read_bytes() == content
    private = row["infohashes"][0]
    assert over(libtorrent(x, f"magnet:?xt=urn:btih:{private}", x.folder / "private", peer)) == "cut"

    a.told("config", "set", "swarm.public_upload", "300000")
    fetching = libtorrent(x, shown["magnet"], x.folder / "cut", peer)
    assert heard(fetching, ("begun",))[0] == "begun"
    assert a.told("unshare", REF)["was_public"]
    with village.capture() as after:
        word, got = heard(fetching, ("cut", "done"))
    assert (word, 0 < got < len(content)) == ("cut", True)
    bytes_after = sum(one.size for one in after.find(src=a.address, sport=EVERYBODY))
    assert bytes_after < 2000  # a goodbye, and greetings that are turned down
    assert a.told("models", "show", REF)["files"][0]["magnet"] is None


@in_village
def test_a_public_model_that_is_removed_leaves_no_torrent_and_gets_nobody_a_byte(
    village: Village, a: VillageNode
) -> None:
    x = village.stranger("x")
    a.told("config", "set", "swarm.bootstrap", f"{x.address}:{EVERYBODY}")
    a.told("config", "set", "swarm.public", "true")
    mine = gguf(village.folder / "gone", "Gone-1B-Q8_0.gguf", seed=9)
    words = (str(mine.parent), "--name", "me/gone", "--license", "mit", "--public", "--yes", "--piece-length", "64k")
    (row,) = a.told("share", *words)["shared"]
    peer, magnet = (a.address, EVERYBODY), row["magnets"][0]
    assert over(libtorrent(x, magnet, x.folder / "before", peer)) == "done"
    assert (x.folder / "before" / mine.name).read_bytes() == mine.read_bytes()
    a.told("models", "rm", "me/gone", "--yes")

    assert over(libtorrent(x, magnet, x.folder / "after", peer)) == "cut"
    assert not set(row["infohashes"]) & torrents(a).keys()
    a.told("config", "set", "swarm.public", "false")
    assert a.python("import socket, sys; print(socket.socket().connect_ex((sys.argv[1], 6881)))", a.address) != "0\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home without a node, that has models and would hand out what is public once its node runs."""
    top = tmp_path_factory.mktemp("alone")
    (top / "source").mkdir()
    with three_repos(top / "source") as hub:
        home = Home(top / "n", hub, {"THORP_SWARM_PUBLIC": "true"})
        home.pull(f"{REPO}:q4_k_m", "--no-start")
        home.pull("org/Gated-7B-GGUF", "--no-start", HF_TOKEN=TOKEN)
        yield home


def test_public_needs_the_word_and_shows_the_licence(alone: Home) -> None:
    ended = alone.thorp("share", REPO, "--public")

    assert (ended.returncode, "under its licence (mit)" in ended.stderr.replace("\n", " ")) == (REFUSED, True)
    assert not list(alone.folder.glob("data/receipts/**/publication.json"))
    (row,) = alone.ok("share", REPO, "--public", "--yes")["shared"]
    assert (row["public"], len(row["magnets"]), row["magnets"][0].endswith(f"&dn={NAME}")) == (True, 1, True)
    assert alone.ok("unshare", REPO)["was_public"]


@pytest.mark.parametrize("words", [(), ("--public", "--yes")])
def test_what_is_gated_is_shared_with_nobody(alone: Home, words: tuple[str, ...]) -> None:
    code, error = alone.fails("share", "org/Gated-7B-GGUF", *words)

    assert (code, error["code"]) == (OFF, "models.not_shareable")
    alone.ok("share", REPO)  # what was kept back stays so, whatever is said of everything
    everything = alone.ok("share", "--all", *words)
    assert [one["reason"] for one in everything["skipped"] if "Gated" in one["path"]]
    alone.ok("unshare", REPO)
