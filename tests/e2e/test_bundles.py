"""Models on a stick: a bundle brings one proven model to a machine without a network, or nothing at all."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.library_house import Home, brought, fetch_by_hf, flip
from tests.e2e.library_keeper import Keeper, keeper_in
from tests.e2e.library_stock import ID, NAME, REPO, TOKEN, three_repos
from thorp.testing.hub import FakeHub
from thorp.testing.process import environment_of, free_port


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    with three_repos(tmp_path_factory.mktemp("source")) as hub:
        yield hub


@pytest.fixture
def home(tmp_path: Path, hub: FakeHub) -> Home:
    return Home(tmp_path / "n", hub)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Iterator[Keeper]:
    """For what shall never get in."""
    with keeper_in(tmp_path_factory.mktemp("keeper"), hub) as keeper:
        yield keeper


# The stick


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Path:
    folder = tmp_path_factory.mktemp("stick")
    home = Home(folder / "n", hub)
    home.pull(REPO)
    home.ok("models", "alias", "mine", ID)
    said = home.ok("models", "export", ID, str(folder / "tiny.tar"))
    assert (said["model_id"], said["size_bytes"]) == (ID, (folder / "tiny.tar").stat().st_size)
    return folder / "tiny.tar"


def without_network(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command in a namespace that has no network at all, not even loopback."""
    command = ["unshare", "--net", sys.executable, "-m", "thorp", *words]
    return subprocess.run(command, env=environment_of(home), capture_output=True, text=True, check=False)


def test_a_stick_carries_a_model_to_a_machine_without_a_network(tmp_path: Path, hub: FakeHub, bundle: Path) -> None:
    home = tmp_path / "n"
    brought = without_network(home, "models", "import", str(bundle), "--json")
    assert brought.returncode == 0, brought.stderr
    assert json.loads(brought.stdout)["imported"][0]["model_id"] == ID
    assert without_network(home, "models", "verify", "--all").returncode == 0
    (row,) = json.loads(without_network(home, "models", "--json").stdout)["models"]
    assert (row["repo"], row["license"], row["source"], row["aliases"]) == (REPO, "mit", "import", [])
    found = fetch_by_hf(
        hub, REPO, NAME, home / "hub", HF_HUB_OFFLINE="1", HF_ENDPOINT=f"http://127.0.0.1:{free_port()}"
    )
    assert found.resolve().is_relative_to(home)
    assert hashlib.sha256(found.read_bytes()).hexdigest() == found.resolve().name
    assert without_network(home, "pull", REPO, "--json").returncode == 0  # it is complete

    again = tmp_path / "again.tar"
    assert without_network(home, "models", "export", ID, str(again)).returncode == 0
    assert names_of(again) == names_of(bundle)


def names_of(bundle: Path) -> list[str]:
    with tarfile.open(bundle) as tar:
        return [one.name for one in tar]


def test_B32_a_flipped_bit_anywhere_in_a_bundle_is_refused(keeper: Keeper, bundle: Path, tmp_path: Path) -> None:
    size = bundle.stat().st_size
    target = tmp_path / "flipped.tar"
    whole = bundle.read_bytes()
    with tarfile.open(bundle) as tar:
        starts = [one.offset_data for one in tar]
    for at in (*(start + 20 for start in starts), size // 2, starts[-1] + 2_999_999):
        target.write_bytes(whole)
        flip(target, at)
        keeper.refuses(target)
    for end in (600, starts[1] + 3, size // 2, size - 12_000):
        target.write_bytes(whole[:end])
        keeper.refuses(target)
    target.write_bytes(whole + b"x" * 512)
    keeper.refuses(target)


Member = tuple[tarfile.TarInfo, bytes]


def unpacked(bundle: Path) -> list[Member]:
    with tarfile.open(bundle) as tar:
        return [(one, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar]


def packed(target: Path, members: list[Member]) -> Path:
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return target


def under(members: list[Member], name: str) -> list[Member]:
    """The same with its model file under another name everywhere it is named, hashes included."""

    def renamed(data: bytes) -> bytes:
        return data.replace(json.dumps(NAME).encode(), json.dumps(name).encode())

    (manifest, said), (receipt, text), *rest = members
    receipt_text, told = renamed(text), json.loads(renamed(said))
    told["receipt"] |= {"size": len(receipt_text), "sha256": hashlib.sha256(receipt_text).hexdigest()}
    moved = [(named(one, one.name.replace(NAME, name)), data) for one, data in rest]
    first = json.dumps(told).encode()
    return [(sized(manifest, first), first), (sized(receipt, receipt_text), receipt_text), *moved]


def named(info: tarfile.TarInfo, name: str, **more: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = info.size
    for field, value in more.items():
        setattr(made, field, value)
    return made


def sized(info: tarfile.TarInfo, data: bytes) -> tarfile.TarInfo:
    return named(info, info.name, size=len(data))


def hostile(members: list[Member], outside: Path) -> Iterator[tuple[str, list[Member]]]:
    """D51: one wrong thing in each."""
    *before, (weights, data) = members
    for name in (
        "../../../x.gguf",
        f"{outside}/x.gguf",
        "a/../../x.gguf",
        "C:\\x.gguf",
        "a\\..\\x.gguf",
        "CON.gguf",
        "x.gguf/",
        "./x.gguf",
        "a//x.gguf",
    ):
        yield f"the name {name}", under(members, name)
    link = named(weights, weights.name, type=tarfile.SYMTYPE, linkname=str(outside / "x"), size=0)
    yield "a link for the file", [*before, (link, b"")]
    folder = named(weights, "files", type=tarfile.SYMTYPE, linkname=str(outside), size=0)
    yield "a link, then a file through it", [*before, (folder, b""), (weights, data)]
    hard = named(weights, weights.name, type=tarfile.LNKTYPE, linkname="/etc/passwd", size=0)
    yield "a hard link", [*before, (hard, b"")]
    for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        yield f"a member of kind {kind!r}", [*before, (named(weights, weights.name, type=kind, size=0), b"")]
    yield "the file twice", [*members, (weights, data)]
    yield "one file too many", [*members, (named(weights, "files/evil.sh", size=4), b"boom")]
    yield "one file too few", before
    yield "the receipt first", [members[1], members[0], *members[2:]]
    for what, change in (("a bomb", {"size": 1 << 44}), ("a size of nothing", {"size": 0}), ("no size", {"size": -1})):
        told = json.loads(members[0][1])
        told["files"][0] |= change
        text = json.dumps(told).encode()
        yield what, [(sized(members[0][0], text), text), *members[1:]]
    told = json.loads(members[0][1])
    told["files"] *= 30_000
    text = json.dumps(told).encode()
    yield "very many files", [(sized(members[0][0], text), text), *members[1:]]
    told = json.loads(members[0][1]) | {"schema": 99}
    text = json.dumps(told).encode()
    yield "a newer manifest", [(sized(members[0][0], text), text), *members[1:]]


def test_D51_hostile_bundles_are_refused_and_leave_nothing(keeper: Keeper, bundle: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    members = unpacked(bundle)
    for what, changed in hostile(members, outside):
        assert keeper.refuses(packed(tmp_path / "bad.tar", changed)), what
        assert list(outside.iterdir()) == [], what
    assert not list(keeper.home.folder.parent.glob("*.gguf"))

    status, data = keeper.asked(packed(tmp_path / "good.tar", under(members, "other-7b-chat-Q4_K_M.gguf")))
    assert (status, data["imported"][0]["how"]) == (200, "copied")  # so it is not the packing that is refused
    assert keeper.node.owner().request("DELETE", f"/api/v1/models/{REPO}").status == 200


def test_a_compressed_bundle_is_no_bundle(keeper: Keeper, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        tar.add(bundle, "thorp-bundle.json")
    keeper.refuses(target)


def spoil(home: Home) -> None:
    flip(home.blob(REPO), 2_000_000)


def shorten(home: Home) -> None:
    blob = home.blob(REPO)
    blob.write_bytes(blob.read_bytes()[:-1])


@pytest.mark.parametrize(("damage", "code"), [(spoil, 6), (shorten, 3)])
def test_a_damaged_model_is_not_exported(home: Home, tmp_path: Path, damage: Callable[[Home], None], code: int) -> None:
    home.pull(REPO)
    damage(home)
    stick = tmp_path / "stick"
    stick.mkdir()
    done = home.thorp("models", "export", REPO, str(stick / "out.tar"))
    assert (done.returncode, list(stick.iterdir())) == (code, [])
    assert "repair" in done.stderr


def test_an_export_overwrites_nothing(home: Home, tmp_path: Path) -> None:
    home.pull(REPO)
    there = tmp_path / "there.tar"
    there.write_text("mine")
    assert home.thorp("models", "export", REPO, str(there)).returncode == 8
    assert there.read_text() == "mine"


def test_B34_a_gated_model_stays_gated_on_a_stick(home: Home, tmp_path: Path, hub: FakeHub) -> None:
    home.pull("org/Gated-7B-GGUF", HF_TOKEN=TOKEN)
    home.ok("models", "export", "gated", str(tmp_path / "gated.tar"))
    assert TOKEN.encode() not in (tmp_path / "gated.tar").read_bytes()
    other = Home(tmp_path / "other", hub)
    with other.node() as node:
        other.ok("models", "import", str(tmp_path / "gated.tar"))
        model = other.ok("models", "show", "gated")
        assert model["gated"] is True
        assert [one["infohash"] for one in model["files"]] == [None]
        assert not list((other.folder / "data").glob("torrents/*"))
        assert brought(node, "org/Gated-7B-GGUF")["state"] == "done"
