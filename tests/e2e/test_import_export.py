"""Models that are on the machine already: taken without a copy, proven, or not taken at all."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.library_house import PIECE, Home, fetch_by_hf, flip, gguf, room, tree
from tests.e2e.library_keeper import Keeper, keeper_in
from tests.e2e.library_stock import FULL, ID, NAME, REPO, three_repos
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.gguf_draft import (
    ALIGNMENT,
    ARRAY,
    STRING,
    UINT8,
    UINT32,
    DraftTensor,
    GgufDraft,
    Items,
    Typed,
)
from thorp.testing.hub import FakeHub
from thorp.testing.safetensors import safetensors_bytes, tiny_config, tiny_safetensors


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


def on_disk(*tops: Path) -> int:
    """Bytes that the files of some folders take, each file once however many names it has."""
    found = {}
    for top in tops:
        for path in top.rglob("*"):
            facts = path.lstat()
            found[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def check_shared(home: Home, ref: str, sources: dict[str, Path], how: str) -> dict[str, Any]:
    """That the library has these very files without a second copy, proven, with a receipt."""
    model = home.ok("models", "show", ref)
    receipt = json.loads(Path(model["receipt"]).read_text())
    for file in receipt["files"]:
        source = sources[file["path"]]
        assert file["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        if how == "linked":
            assert home.entry(ref, file["path"]).resolve().samefile(source)
    assert how in ("linked", "cloned")
    assert home.ok("models", "verify", ref)["ok"]
    return receipt


def taken(home: Home, source: Path, *words: str, **more: str) -> list[dict[str, Any]]:
    """What an import took; that it took hardly any room."""
    before = on_disk(home.folder.parent)
    imported = home.ok("models", "import", str(source), *words, **more)["imported"]
    if "cloned" not in {one["how"] for one in imported}:  # a clone's blocks are counted twice by the system
        assert on_disk(home.folder.parent) - before < 400_000
    return imported


# What lies here already


@pytest.mark.parametrize("with_node", [False, True])
def test_what_huggingface_hub_fetched_is_taken_without_a_copy(
    home: Home, hub: FakeHub, tmp_path: Path, with_node: bool
) -> None:
    cache = tmp_path / "cache"
    at = fetch_by_hf(hub, REPO, NAME, cache)
    fetch_by_hf(hub, REPO, "README.md", cache)
    before = tree(cache)
    if with_node:
        with home.node():
            (one,) = taken(home, cache)
    else:
        (one,) = taken(home, cache)
    receipt = check_shared(home, ID, {NAME: at.resolve()}, one["how"])
    assert (receipt["repo"], receipt["revision"]) == (REPO, at.parent.name)
    assert (receipt["version"], receipt["license"], receipt["gated"]) == ("main", "mit", False)
    assert tree(cache) == before

    hub.forget()
    assert home.pull(REPO)["state"] == "done"
    assert not hub.log
    assert home.ok("models", "import", str(cache))["imported"][0]["how"] == "present"
    home.ok("models", "rm", ID, "--yes")
    assert tree(cache) == before


def test_files_in_the_models_folder_itself_are_taken_where_they_lie(home: Home, hub: FakeHub) -> None:
    for name in ("model.safetensors", "config.json"):
        fetch_by_hf(hub, FULL, name, home.folder / "hub")
    files = tree(home.stored(FULL))
    (one,) = taken(home, home.folder / "hub")
    assert one["how"] == "present"
    assert home.ok("models", "verify", FULL)["ok"]
    assert tree(home.stored(FULL)) == files
    assert home.models()[0]["format"] == "safetensors"


def ollama(store: Path, model: Path, *, name: str = "tiny", layers: list[dict[str, Any]] | None = None) -> Path:
    """A store as Ollama keeps one; answers with the blob of the weights."""
    blobs, manifests = store / "blobs", store / "manifests" / "registry.ollama.ai" / "library" / name
    blobs.mkdir(parents=True, exist_ok=True)
    manifests.mkdir(parents=True)
    said: list[dict[str, Any]] = []
    for kind, data in (("model", model.read_bytes()), ("license", b"Apache License\nVersion 2.0\n")):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / f"sha256-{digest}").write_bytes(data)
        said.append(
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}
        )
    (manifests / "7b-instruct-q4_K_M").write_text(json.dumps({"schemaVersion": 2, "layers": layers or said}))
    return blobs / said[0]["digest"].replace(":", "-")


def test_an_ollama_store_is_taken_without_a_copy(home: Home, tmp_path: Path) -> None:
    blob = ollama(tmp_path / "ollama" / "models", gguf(tmp_path / "src", NAME, pad_to=2_000_000))
    (one,) = taken(home, tmp_path / "ollama")
    (row,) = home.models()
    receipt = check_shared(home, row["model_id"], {receipt_file(home, row): blob}, one["how"])
    assert (receipt["repo"], receipt["license"], receipt["source"]["kind"]) == ("ollama/tiny", "apache-2.0", "import")
    assert receipt["model_id"] == ID


def receipt_file(home: Home, row: dict[str, Any]) -> str:
    return home.ok("models", "show", row["model_id"])["files"][0]["path"]


def test_folders_as_lm_studio_keeps_them_are_taken_without_a_copy(home: Home, tmp_path: Path) -> None:
    place = tmp_path / "studio" / "models" / "someone" / "Tiny-7B-Instruct-GGUF"
    sources = {NAME: gguf(place, NAME, pad_to=2_000_000), "mmproj-F16.gguf": projector_gguf(place / "mmproj-F16.gguf")}
    other = gguf(tmp_path / "studio" / "models" / "else" / "Other-1B-GGUF", "other-1b-chat-Q8_0.gguf", seed=2)
    (place / "note.txt").write_text("nothing")
    imported = taken(home, tmp_path / "studio" / "models")
    assert {one["model_id"] for one in imported} == {ID, "other:1b:chat:q8_0"}
    receipt = check_shared(home, ID, sources, imported[0]["how"])
    assert (receipt["repo"], receipt["projector"]) == ("someone/Tiny-7B-Instruct-GGUF", "mmproj-F16.gguf")
    assert check_shared(home, "other", {other.name: other}, imported[0]["how"])["repo"] == "else/Other-1B-GGUF"


def test_one_file_shards_and_a_folder_of_safetensors_are_taken(home: Home, tmp_path: Path) -> None:
    one = gguf(tmp_path / "one", NAME)
    (tmp_path / "parts").mkdir()
    parts = tiny_gguf(tmp_path / "parts" / "split-3b-chat-Q4_0.gguf", shards=3, seed=5)
    folder = tmp_path / "Full-1B-Instruct"
    folder.mkdir()
    weights = tiny_safetensors(folder / "model.safetensors", shards=2)
    config = tiny_config(folder / "config.json")
    with home.node():
        (first,) = taken(home, one, "--name", "me/Tiny-GGUF", "--license", "mit")
        (second,) = taken(home, parts[1])
        (third,) = taken(home, folder, "--name", "me/Full-1B-Instruct")
        receipt = check_shared(home, ID, {NAME: one}, first["how"])
        assert (receipt["repo"], receipt["license"]) == ("me/Tiny-GGUF", "mit")
        receipt = check_shared(home, second["ref"], {part.name: part for part in parts}, second["how"])
        assert len(receipt["files"]) == 3
        receipt = check_shared(home, third["ref"], {file.name: file for file in (*weights, config)}, third["how"])
        assert (receipt["repo"], receipt["format"], len(receipt["files"])) == ("me/Full-1B-Instruct", "safetensors", 3)


def test_a_file_that_others_may_write_to_is_never_shared_by_a_link(home: Home, tmp_path: Path) -> None:
    source = gguf(tmp_path / "open", NAME, pad_to=PIECE + 1000)
    source.chmod(0o666)
    code, error = home.fails("models", "import", str(source), "--name", "me/Tiny-GGUF")
    assert (code, error["code"]) == (8, "models.copy_needed")
    assert home.models() == []
    (one,) = home.ok("models", "import", str(source), "--name", "me/Tiny-GGUF", "--copy")["imported"]
    assert one["how"] == "copied"
    assert not home.blob(ID).samefile(source)
    flip(source, 10_000_000)
    assert home.ok("models", "verify", ID)["ok"]


def test_import_is_for_the_owner_alone(keeper: Keeper, tmp_path: Path) -> None:
    key = keeper.node.key("models:read", "models:write", "transfers:write")["key"]
    body = {"path": str(gguf(tmp_path, NAME)), "name": "me/Tiny-GGUF"}
    assert keeper.node.over_tcp(key).request("POST", "/api/v1/models/import", body).status == 403
    assert keeper.kept() == {}


# What is not taken


@pytest.mark.parametrize("longer", [False, True])
def test_B32_other_bytes_than_the_name_of_a_file_promises_are_refused(
    keeper: Keeper, hub: FakeHub, tmp_path: Path, longer: bool
) -> None:
    def spoil(path: Path) -> None:
        if longer:
            path.write_bytes(path.read_bytes() + b"\0" * 32)
        else:
            flip(path, path.stat().st_size - 5)

    spoil(fetch_by_hf(hub, REPO, NAME, tmp_path / "cache").resolve())
    assert "not what their name says" in keeper.refuses(tmp_path / "cache")
    small = tmp_path / "small"
    fetch_by_hf(hub, FULL, "model.safetensors", small)
    spoil(fetch_by_hf(hub, FULL, "config.json", small).resolve())
    keeper.refuses(small)
    spoil(ollama(tmp_path / "ollama", gguf(tmp_path / "src", NAME)))
    keeper.refuses(tmp_path / "ollama")


@pytest.mark.parametrize("digest", ["sha256:../../secret", "sha256:" + "0" * 63, "md5:" + "0" * 32, "/etc/passwd", ""])
def test_an_ollama_manifest_that_leads_elsewhere_is_refused(keeper: Keeper, tmp_path: Path, digest: str) -> None:
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 5}
    ollama(tmp_path, gguf(tmp_path / "src", NAME), layers=[layer])
    assert "SHA-256" in keeper.refuses(tmp_path)


def test_links_of_a_cache_that_lead_out_of_it_are_not_followed(keeper: Keeper, hub: FakeHub, tmp_path: Path) -> None:
    entry = fetch_by_hf(hub, REPO, NAME, tmp_path / "cache")
    secret = tmp_path / NAME
    secret.write_bytes(entry.read_bytes())
    entry.unlink()
    entry.symlink_to(secret)
    assert "leads out of its repository" in keeper.refuses(tmp_path / "cache")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / NAME).symlink_to(secret)
    assert "a link" in keeper.refuses(tmp_path / "plain")


BOOM = b"cposix\nsystem\n(S'touch %s'\ntR."  # a pickle that runs a command when it is opened


def test_pickles_are_skipped_with_a_reason_and_never_opened(keeper: Keeper, tmp_path: Path) -> None:
    folder, marker = tmp_path / "models", tmp_path / "marker"
    for name in ("pytorch_model.bin", "a.pt", "b.pth", "c.ckpt", "d.pkl"):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(BOOM % str(marker).encode())
    status, data = keeper.asked(folder)
    assert (status, data["imported"], len(data["skipped"])) == (200, [], 5)
    assert all("pickle" in one["reason"] for one in data["skipped"])

    good = gguf(folder, NAME)
    status, data = keeper.asked(folder)
    assert [one["model_id"] for one in data["imported"]] == [ID]
    assert {one["path"] for one in data["skipped"]} == {path.name for path in folder.iterdir()} - {good.name}
    assert not marker.exists()
    assert keeper.node.owner().request("DELETE", f"/api/v1/models/{ID}").status == 200
    disguised = tmp_path / "as" / NAME
    disguised.parent.mkdir()
    disguised.write_bytes(BOOM % str(marker).encode())
    keeper.refuses(disguised)
    assert not marker.exists()


def drafts() -> Iterator[tuple[str, bytes]]:
    """D47: one wrong thing in each."""
    weight = DraftTensor("a.weight", (32, 4))
    good = GgufDraft((("general.architecture", "llama"), ("llama.context_length", 8)), (weight,))
    for version in (0, 4, 99):
        yield f"version {version}", replace(good, version=version).whole()
    yield "2^63 keys", replace(good, claimed_keys=1 << 63).whole()
    yield "2^63 tensors", replace(good, claimed_tensors=(1 << 64) - 1).whole()
    yield "a million and one keys", replace(good, claimed_keys=1_000_001).whole()
    text = (1 << 40).to_bytes(8, "little") + b"x"
    yield "a string beyond the file", good.with_keys(("long", Typed(STRING, text))).whole()
    deep: Any = Items(UINT8, [1])
    for _ in range(6):
        deep = Items(ARRAY, [deep])
    yield "nested arrays", good.with_keys(("deep", deep)).whole()
    yield "2^60 items", good.with_keys(("many", Items(UINT32, [1], claimed=1 << 60))).whole()
    yield "a zero dimension", replace(good, tensors=(DraftTensor("a.weight", (32, 0)),)).whole()
    huge = DraftTensor("a.weight", (1 << 62, 1 << 62), data=bytes(64))
    yield "an overflow of the product", replace(good, tensors=(huge,)).whole()
    for alignment in (0, 3, 48):
        yield f"alignment {alignment}", good.with_keys(("general.alignment", alignment)).whole()
    twins = (DraftTensor("a", (32,)), DraftTensor("b", (32,), offset=0))
    yield "overlap", replace(good, tensors=twins).whole()
    yield "behind the end", replace(good, tensors=(replace(weight, offset=ALIGNMENT * 1000),)).whole()
    yield "an unknown kind of tensor", replace(good, tensors=(replace(weight, claimed_kind=4242),)).whole()
    yield "an unknown kind of value", good.with_keys(("odd", Typed(77, b""))).whole()
    yield "a key twice", good.with_keys(("llama.context_length", 9)).whole()
    yield "a tensor twice", replace(good, tensors=(weight, weight)).whole()
    yield "big-endian", b"GGUF" + (3).to_bytes(4, "big") + bytes(64)
    yield "no GGUF", b"GGML" + good.whole()[4:]
    yield "nothing", b""
    yield "short by one", good.whole()[:-1]


def test_D47_hostile_gguf_files_are_refused_and_the_node_lives(keeper: Keeper, tmp_path: Path) -> None:
    for number, (what, data) in enumerate(drafts()):
        path = tmp_path / str(number) / NAME
        path.parent.mkdir()
        path.write_bytes(data)
        assert keeper.refuses(path, name="me/Tiny-GGUF"), what


def safetensors() -> Iterator[tuple[str, bytes]]:
    """D50: one wrong thing in each."""
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    yield "a header of 2^63 bytes", (1 << 63).to_bytes(8, "little") + b"{}"
    yield "a header longer than the file", (1 << 20).to_bytes(8, "little") + b"{}"
    yield "overlap", safetensors_bytes({"a": one, "b": one | {"data_offsets": [8, 24]}}, bytes(24))
    yield "a hole", safetensors_bytes({"a": one, "b": one | {"data_offsets": [32, 48]}}, bytes(48))
    yield "no UTF-8", safetensors_bytes(b'{"\xff\xfe":1}')
    yield "no JSON", safetensors_bytes(b"{" * 1000)
    yield "deep JSON", safetensors_bytes(b"[" * 100_000)
    yield "a lie about the type", safetensors_bytes({"a": one | {"dtype": "F64"}}, bytes(16))
    yield "an unknown type", safetensors_bytes({"a": one | {"dtype": "PICKLE"}}, bytes(16))
    yield "bytes behind the end", safetensors_bytes({"a": one}, bytes(20))
    yield "bytes that are missing", safetensors_bytes({"a": one}, bytes(15))
    yield "a negative shape", safetensors_bytes({"a": one | {"shape": [-4]}}, bytes(16))
    yield "offsets backwards", safetensors_bytes({"a": one | {"data_offsets": [16, 0]}}, bytes(16))
    yield (
        "a name twice",
        safetensors_bytes(
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
            bytes(16),
        ),
    )


def test_D50_hostile_safetensors_are_refused_and_the_node_lives(keeper: Keeper, tmp_path: Path) -> None:
    for number, (what, data) in enumerate(safetensors()):
        folder = tmp_path / f"Model-1B-{number}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(data)
        tiny_config(folder / "config.json")
        assert keeper.refuses(folder, name="me/Full-1B"), what


def test_D49_shards_of_no_whole_model_are_refused(keeper: Keeper, tmp_path: Path) -> None:
    def parts(folder: str, **more: Any) -> list[Path]:
        (tmp_path / folder).mkdir()
        return tiny_gguf(tmp_path / folder / "split-3b-chat-Q4_0.gguf", shards=3, **more)

    missing, mixed, strange, many = (
        parts("missing"),
        parts("mixed"),
        parts("other", name="another", seed=3),
        parts("many"),
    )
    missing[1].unlink()
    assert "missing" in keeper.refuses(tmp_path / "missing")
    keeper.refuses(missing[0])
    mixed[0].write_bytes(strange[0].read_bytes())
    mixed[1].write_bytes(gguf(tmp_path, NAME).read_bytes())
    keeper.refuses(tmp_path / "mixed", name="me/Mixed-3B-GGUF")
    for number, part in enumerate(many, start=1):
        part.rename(part.with_name(f"split-3b-chat-Q4_0-{number:05d}-of-99999.gguf"))
    keeper.refuses(tmp_path / "many")


# Another disk


def test_another_disk_needs_a_copy_and_says_how_large(tmp_path: Path, hub: FakeHub) -> None:
    size = PIECE + 3 * 1024 * 1024
    disk, home = tmp_path / "disk", tmp_path / "n"
    disk.mkdir()
    with room() as inside:
        inside.run("mount", "-t", "tmpfs", "none", str(disk))
        source = gguf(inside.see(disk) / "Tiny-7B-GGUF", NAME, pad_to=size)
        words = ("models", "import", str(disk / "Tiny-7B-GGUF" / NAME), "--name", "me/Tiny-7B-GGUF", "--json")
        refused = inside.thorp(home, *words, HF_ENDPOINT=hub.url)
        error = json.loads(refused.stderr)["error"]
        assert (refused.returncode, error["code"], error["details"]["size_bytes"]) == (8, "models.copy_needed", size)
        assert "--copy" in error["message"]
        assert f"{size / 1024**3:.2f} GiB" in error["message"]
        assert not list((home / "hub").rglob("*.gguf"))

        copied = inside.thorp(home, *words, "--copy", HF_ENDPOINT=hub.url)
        assert json.loads(copied.stdout)["imported"][0]["how"] == "copied", copied
        assert inside.thorp(home, "models", "verify", ID, HF_ENDPOINT=hub.url).returncode == 0
        flip(source, 1000)
    assert Home(home, hub).ok("models", "verify", ID)["ok"]
