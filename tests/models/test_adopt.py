"""Models that lie on this machine come into the library whole, proven, and without a copy where the disk allows it."""

import hashlib
import json
import os
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from tests.models.adopting import take
from thorp.base.errors import ThorpError, UsageError
from thorp.base.moments import rfc3339
from thorp.formats.errors import BadGgufError, BadSafetensorsError, PickleRefusedError
from thorp.models.adopt import NameNotWantedError, revision_of
from thorp.models.adopt_files import SMALL, ChangedWhileReadError, CopyNeededError
from thorp.models.adopt_sources import NothingToImportError
from thorp.models.adopt_types import Adopted
from thorp.models.cache import whole
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of, link_target
from thorp.models.library import Library
from thorp.models.receipts import Receipt, read_receipt
from thorp.models.remove import remove
from thorp.models.shared import Shared, is_kept_back, keep_back
from thorp.models.types import Format, SourceKind
from thorp.models.verify import verify
from thorp.testing.clock import FakeClock
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.library import NO_LINKS, NO_SYMLINKS, SomeLinks, a_library, an_artifact, put_blob
from thorp.testing.safetensors import tiny_config, tiny_safetensors

NAME = "Mistral-7B-Instruct-v0.2-Q4_K_M.gguf"
ID = "mistral:7b:instruct:q4_k_m"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path / "home")


def the_one(found: Adopted) -> Receipt:
    assert len(found.imported) == 1, found
    return found.imported[0].receipt


def is_whole(library: Library, receipt: Receipt) -> bool:
    verdicts = verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
    return all(one.ok for one in verdicts) and not whole(library.cache, receipt)


def files_below(folder: Path) -> list[Path]:
    """Without locks and marks that stay when nothing was taken."""
    return [one for one in folder.rglob("*") if not one.is_dir() and one.name not in (".thorp-store", "lock")]


def a_model(folder: Path, name: str = NAME, **wishes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return tiny_gguf(folder / name, **wishes)[0]  # type: ignore[arg-type]


def a_cache(tmp_path: Path, files: dict[str, bytes], **more: object) -> tuple[Library, Receipt]:
    """Another home, whose models folder is a Hugging Face cache like any other."""
    other = a_library(tmp_path / "other")
    return other, an_artifact(other, "org/Mistral-7B-GGUF", files, **more)


def gguf_bytes(tmp_path: Path, **wishes: object) -> bytes:
    return a_model(tmp_path / "scratch", "made.gguf", **wishes).read_bytes()


def test_a_file_is_linked_and_not_copied(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    told: list[tuple[str, int, int]] = []
    found = take(library, source, progress=lambda *one: told.append(one))
    receipt = the_one(found)

    assert found.imported[0].how == "linked"
    assert receipt.repo == "local/Mistral-7B-Instruct-v0.2-Q4_K_M"
    assert (receipt.model_id, receipt.quant, receipt.version) == (ID, "q4_k_m", "local")
    assert (receipt.source.kind, receipt.source.detail) == (SourceKind.IMPORT, NAME)
    assert receipt.architecture == "llama"
    assert receipt.context_length == 256
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert receipt.revision == revision_of([(NAME, source.stat().st_size, digest)])
    assert library.layout.blob(receipt.repo, digest_of(digest)).samefile(source)
    assert library.pieces(receipt, digest) == hashlib.sha1(source.read_bytes(), usedforsecurity=False).digest()
    assert receipt.files[0].infohash is None  # its owner did not publish it
    assert not library.layout.torrents.exists()
    assert told[-1] == (NAME, source.stat().st_size, source.stat().st_size)
    assert library.receipts() == (receipt,)
    assert is_whole(library, receipt)


def test_no_private_path_reaches_the_receipt(tmp_path: Path, library: Library) -> None:
    receipt = the_one(take(library, a_model(tmp_path / "ann" / "secret")))

    assert "secret" not in library.path(receipt).read_text()
    assert "ann" not in receipt.repo


def test_what_was_adopted_is_found_by_huggingface_hub_without_a_network(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    take(library, source, name="ann/mistral")

    found = hf_hub_download("ann/mistral", NAME, cache_dir=library.layout.hub, local_files_only=True)

    assert Path(found).read_bytes() == source.read_bytes()


def test_a_cache_that_was_adopted_is_found_by_huggingface_hub(tmp_path: Path, library: Library) -> None:
    _, given = a_cache(tmp_path, {NAME: gguf_bytes(tmp_path)})
    take(library, tmp_path / "other/hub")

    for revision in (None, given.revision):
        found = hf_hub_download(
            given.repo, NAME, revision=revision, cache_dir=library.layout.hub, local_files_only=True
        )
        assert hashlib.sha256(Path(found).read_bytes()).hexdigest() == given.files[0].sha256


def test_an_import_takes_no_branch_from_what_a_hub_said(tmp_path: Path, library: Library) -> None:
    hub = an_artifact(library, "org/repo", {"other.gguf": b"x"})
    receipt = the_one(take(library, a_model(tmp_path / "downloads"), name="org/repo"))

    assert library.layout.ref("org/repo", "main").read_text() == hub.revision
    assert library.layout.ref("org/repo", "local").read_text() == receipt.revision


def test_a_second_import_moves_the_branch_that_the_first_one_made(tmp_path: Path, library: Library) -> None:
    take(library, a_model(tmp_path / "downloads"), name="org/repo")
    receipt = the_one(take(library, a_model(tmp_path / "later", seed=1), name="org/repo"))

    assert library.layout.ref("org/repo", "main").read_text() == receipt.revision


def test_again_is_present_and_changes_nothing(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    first = the_one(take(library, source))
    path = library.path(first)
    before = path.stat().st_mtime_ns
    library.put(first.with_aliases(("mine",)))
    again = take(library, source)

    assert again.imported[0].how == "present"
    assert again.imported[0].receipt.aliases == ("mine",)
    assert path.stat().st_mtime_ns >= before


def test_the_same_file_is_not_read_again(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    first = the_one(take(library, source))
    library.put(replace(first, verified_at=rfc3339(source.stat().st_ctime + 1)))
    told: list[str] = []

    assert take(library, source, progress=lambda *one: told.append(one[0])).imported[0].how == "present"
    assert told == []


def test_files_that_are_gone_from_the_library_are_brought_back(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    first = the_one(take(library, source))
    library.layout.blob(first.repo, digest_of(first.files[0].sha256)).unlink()
    library.put(first.with_aliases(("mine",)))
    again = take(library, source)

    assert again.imported[0].how == "linked"
    assert again.imported[0].receipt.aliases == ("mine",)
    assert is_whole(library, first)


def test_a_wrong_blob_under_the_right_name_is_set_aside(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    data = source.read_bytes()
    digest = hashlib.sha256(data).digest()
    put_blob(library, "org/repo", digest, b"!" * len(data))
    receipt = the_one(take(library, source, name="org/repo"))

    assert is_whole(library, receipt)
    assert (library.layout.quarantine("org/repo", digest) / "data").read_bytes() == b"!" * len(data)


def test_one_part_stands_for_all(tmp_path: Path, library: Library) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    parts = tiny_gguf(folder / "Big-7B-Q8_0.gguf", shards=3)
    a_model(folder, "other.gguf")
    receipt = the_one(take(library, parts[1]))

    assert [one.path for one in receipt.files] == [one.name for one in parts]
    assert (receipt.artifact, receipt.model_id) == ("Big-7B-Q8_0", "big:7b:base:q8_0")


def test_D49_a_missing_part_means_none_is_taken(tmp_path: Path, library: Library) -> None:
    (tmp_path / "downloads").mkdir()
    parts = tiny_gguf(tmp_path / "downloads/Big-7B-Q8_0.gguf", shards=3)
    parts[2].unlink()

    with pytest.raises(NothingToImportError, match="number 3 is missing"):
        take(library, parts[0])
    found = take(library, tmp_path / "downloads")
    assert found.imported == ()
    assert "number 3 is missing" in found.skipped[0].reason
    assert files_below(library.layout.hub) == []


def test_a_folder_of_safetensors_is_one_model(tmp_path: Path, library: Library) -> None:
    folder = tmp_path / "Llama-3.1-8B-Instruct"
    folder.mkdir()
    tiny_safetensors(folder / "model.safetensors", shards=2)
    tiny_config(folder / "config.json")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "notes.txt").write_text("not needed")
    receipt = the_one(take(library, folder, licence="llama3.1"))

    assert receipt.format is Format.SAFETENSORS
    assert receipt.repo == "local/Llama-3.1-8B-Instruct"
    assert receipt.model_id == "llama-3.1:8b:instruct:bf16"
    assert (receipt.artifact, receipt.license) == ("_", "llama3.1")
    assert [one.path for one in receipt.files] == [
        "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert is_whole(library, receipt)


def test_a_folder_as_lm_studio_keeps_it_says_whose_models_they_are(tmp_path: Path, library: Library) -> None:
    a_model(tmp_path / "models/ggml-org/gemma-3-4b-it-GGUF", "gemma-3-4b-it-Q4_0.gguf")
    projector_gguf(tmp_path / "models/ggml-org/gemma-3-4b-it-GGUF/mmproj-model-f16.gguf")
    a_model(tmp_path / "models/org/Other-7B-GGUF", "Other-7B-Q8_0.gguf", seed=1)
    found = take(library, tmp_path / "models")

    assert [one.receipt.repo for one in found.imported] == ["ggml-org/gemma-3-4b-it-GGUF", "org/Other-7B-GGUF"]
    gemma = found.imported[0].receipt
    assert gemma.projector == "mmproj-model-f16.gguf"
    assert [one.path for one in gemma.files] == ["gemma-3-4b-it-Q4_0.gguf", "mmproj-model-f16.gguf"]
    alone = take(library, tmp_path / "models/org/Other-7B-GGUF/Other-7B-Q8_0.gguf")
    assert alone.imported[0].how == "present"


def test_pickles_are_refused_by_name_and_the_rest_is_taken(tmp_path: Path, library: Library) -> None:
    a_model(tmp_path / "models")
    (tmp_path / "models/pytorch_model.bin").write_bytes(b"PK\3\4")
    found = take(library, tmp_path / "models")

    assert len(found.imported) == 1
    assert [one.path for one in found.skipped] == ["pytorch_model.bin"]
    assert "pickle" in found.skipped[0].reason
    with pytest.raises(PickleRefusedError):
        take(library, tmp_path / "models/pytorch_model.bin")


def test_where_no_model_is_nothing_is_made_up(tmp_path: Path, library: Library) -> None:
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "not-there"):
        with pytest.raises(NothingToImportError):
            take(library, nothing)


def test_names_of_their_own_take_no_other(tmp_path: Path, library: Library) -> None:
    a_cache(tmp_path, {NAME: gguf_bytes(tmp_path)})
    with pytest.raises(NameNotWantedError):
        take(library, tmp_path / "other/hub", name="my/name")
    with pytest.raises(UsageError):
        take(library, a_model(tmp_path / "downloads"), name="../../etc")


def test_a_cache_comes_with_repository_commit_and_branch(tmp_path: Path, library: Library) -> None:
    _, given = a_cache(
        tmp_path,
        {
            NAME: gguf_bytes(tmp_path),
            "README.md": b"---\nlicense: apache-2.0\nextra_gated_prompt: say yes\n---\n# a model\n",
        },
    )
    receipt = the_one(take(library, tmp_path / "other/hub"))

    assert (receipt.repo, receipt.revision, receipt.version) == (given.repo, given.revision, "main")
    assert (receipt.source.kind, receipt.source.detail) == (SourceKind.HUB, "found in a Hugging Face cache")
    assert (receipt.license, receipt.gated) == ("apache-2.0", True)
    assert receipt.files[0].infohash is None  # gated models never ride a torrent
    assert is_whole(library, receipt)


def test_what_a_cache_had_is_kept_back_until_its_owner_shares_it(tmp_path: Path, library: Library) -> None:
    a_cache(tmp_path, {NAME: gguf_bytes(tmp_path)})
    shared = Shared(library, FakeClock(), lambda: True)
    found = take(library, tmp_path / "other/hub")
    receipt = the_one(found)

    assert (found.imported[0].kept, is_kept_back(library, receipt), shared.models()) == (True, True, ())
    keep_back(library, receipt, kept=False)
    assert not take(library, tmp_path / "other/hub").imported[0].kept
    assert [one.repo for one in shared.models()] == [receipt.repo]


def test_a_model_that_was_here_stays_shared_when_a_cache_mends_it(tmp_path: Path, library: Library) -> None:
    data = gguf_bytes(tmp_path)
    _, given = a_cache(tmp_path, {NAME: data})
    here = an_artifact(library, given.repo, {NAME: data})
    library.layout.blob(given.repo, digest_of(here.files[0].sha256)).unlink()
    found = take(library, tmp_path / "other/hub")

    assert library.path(the_one(found)) == library.path(here)
    assert (found.imported[0].kept, is_kept_back(library, here)) == (False, False)


def test_what_the_owner_named_file_by_file_is_not_kept_back(tmp_path: Path, library: Library) -> None:
    found = take(library, a_model(tmp_path / "downloads"))

    assert (found.imported[0].kept, is_kept_back(library, the_one(found))) == (False, False)


@pytest.mark.parametrize("place", ["other", "other/hub", "other/hub/models--org--Mistral-7B-GGUF"])
def test_a_cache_is_known_from_the_folder_above_and_from_each_of_its_own(
    tmp_path: Path, library: Library, place: str
) -> None:
    a_cache(tmp_path, {NAME: gguf_bytes(tmp_path)})
    assert the_one(take(library, tmp_path / place)).repo == "org/Mistral-7B-GGUF"


def test_a_file_inside_a_snapshot_brings_its_repository(tmp_path: Path, library: Library) -> None:
    other, given = a_cache(tmp_path, {NAME: gguf_bytes(tmp_path), "B-7B-Q8_0.gguf": gguf_bytes(tmp_path, seed=1)})
    receipt = the_one(take(library, other.layout.file(given.repo, given.revision, NAME)))

    assert (receipt.repo, receipt.revision) == (given.repo, given.revision)
    assert [one.path for one in receipt.files] == [NAME]


def test_our_own_models_folder_gets_receipts_only(tmp_path: Path, library: Library) -> None:
    given = an_artifact(library, "org/repo", {NAME: gguf_bytes(tmp_path)})
    blob = library.layout.blob("org/repo", digest_of(given.files[0].sha256))
    library.drop(given)
    before = blob.stat()
    found = take(library, library.layout.hub)

    assert found.imported[0].how == "present"
    assert blob.stat().st_ctime_ns == before.st_ctime_ns
    assert is_whole(library, the_one(found))


def test_B32_a_blob_whose_bytes_are_not_its_name_is_never_adopted(tmp_path: Path, library: Library) -> None:
    data = gguf_bytes(tmp_path)
    other, given = a_cache(tmp_path, {NAME: data})
    blob = other.layout.blob(given.repo, digest_of(given.files[0].sha256))
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = take(library, tmp_path / "other/hub")

    assert found.imported == ()
    assert "its bytes are not what their name says" in found.skipped[0].reason
    assert library.receipts() == ()
    assert files_below(library.layout.hub) == []


def test_B32_a_small_file_is_held_to_the_hash_git_gave_it(tmp_path: Path, library: Library) -> None:
    model, config = tmp_path / "m.safetensors", tmp_path / "config.json"
    tiny_safetensors(model)
    tiny_config(config)
    files = {"model.safetensors": model.read_bytes(), "config.json": config.read_bytes()}
    other, given = a_cache(tmp_path, files)
    assert the_one(take(library, tmp_path / "other/hub")).format is Format.SAFETENSORS
    entry = other.layout.file(given.repo, given.revision, "config.json")
    text = entry.read_bytes().replace(b"256", b"999")
    entry.resolve().write_bytes(text)

    again = take(a_library(tmp_path / "third"), tmp_path / "other/hub")
    assert again.imported == ()
    assert "its bytes are not what their name says" in again.skipped[0].reason


def test_one_wrong_repository_keeps_no_other_out(tmp_path: Path, library: Library) -> None:
    data = gguf_bytes(tmp_path)
    other, given = a_cache(tmp_path, {NAME: data})
    an_artifact(other, "org/fine", {"Fine-7B-Q8_0.gguf": gguf_bytes(tmp_path, seed=2)})
    other.layout.blob(given.repo, digest_of(given.files[0].sha256)).write_bytes(b"!" * len(data))

    found = take(library, tmp_path / "other/hub")
    assert the_one(found).repo == "org/fine"
    assert len(found.skipped) == 1


def test_C43_links_out_of_a_repository_are_not_followed(tmp_path: Path, library: Library) -> None:
    secret = a_model(tmp_path / "private")
    other, given = a_cache(tmp_path, {NAME: gguf_bytes(tmp_path)})
    an_artifact(other, "org/next", {"Next-7B-Q8_0.gguf": gguf_bytes(tmp_path, seed=3)})
    foreign = next(iter(other.layout.blobs("org/next").iterdir()))
    snapshot = other.layout.snapshot(given.repo, given.revision)
    for number, target in enumerate((
        str(secret),
        "../../../../private/" + NAME,
        "../" * 3 + f"models--org--next/blobs/{foreign.name}",
        "../" + link_target("x", digest_of(foreign.name)),
    )):  # fmt: skip
        (snapshot / f"Stolen{number}-7B-Q8_0.gguf").symlink_to(target)
    (snapshot / "folder").symlink_to(secret.parent)

    found = take(library, other.layout.repo(given.repo))
    assert [one.path for one in the_one(found).files] == [NAME]
    assert len(found.skipped) == 5


def test_C43_a_blob_that_is_a_link_is_not_followed(tmp_path: Path, library: Library) -> None:
    data = gguf_bytes(tmp_path)
    other, given = a_cache(tmp_path, {NAME: data})
    blob = other.layout.blob(given.repo, digest_of(given.files[0].sha256))
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")

    found = take(library, tmp_path / "other/hub")
    assert found.imported == ()
    assert "is no file" in found.skipped[0].reason


def test_C43_a_link_in_a_folder_is_skipped(tmp_path: Path, library: Library) -> None:
    secret = a_model(tmp_path / "private")
    a_model(tmp_path / "models", "Fine-7B-Q8_0.gguf", seed=4)
    (tmp_path / "models/Stolen-7B-Q8_0.gguf").symlink_to(secret)
    found = take(library, tmp_path / "models")

    assert the_one(found).artifact == "Fine-7B-Q8_0"
    assert [one.path for one in found.skipped] == ["Stolen-7B-Q8_0.gguf"]


@pytest.mark.parametrize("links", [NO_SYMLINKS, NO_LINKS, SomeLinks(symlinks=True)])
def test_C38_a_disk_without_links_gets_small_models_by_copy(tmp_path: Path, links: SomeLinks) -> None:
    library = a_library(tmp_path / "home", links)
    source = a_model(tmp_path / "downloads")
    found = take(library, source)

    assert found.imported[0].how == ("linked" if links.hard_links else "copied")
    assert is_whole(library, the_one(found))
    again = take(library, source)
    assert again.imported[0].how == "present"
    remove(library, the_one(found))
    assert files_below(library.layout.hub) == []
    assert source.exists()


def test_C38_a_large_model_is_copied_only_when_asked_to(tmp_path: Path) -> None:
    library = a_library(tmp_path / "home", SomeLinks(symlinks=True))
    source = a_model(tmp_path / "downloads", pad_to=SMALL + 1)

    with pytest.raises(CopyNeededError, match=r"0\.02 GiB; add `--copy`"):
        take(library, source)
    assert files_below(library.layout.hub) == []
    found = take(library, source, copies=True)
    assert found.imported[0].how == "copied"
    assert is_whole(library, the_one(found))
    blob = library.layout.blob(the_one(found).repo, digest_of(the_one(found).files[0].sha256))
    assert not blob.samefile(source)
    assert not library.layout.partial(the_one(found).repo, digest_of(blob.name)).exists()


def test_C38_nothing_of_a_model_is_taken_when_its_large_part_would_need_a_copy(tmp_path: Path) -> None:
    library = a_library(tmp_path / "home", SomeLinks(symlinks=True))
    folder = tmp_path / "models/org/Eyes-7B-GGUF"
    a_model(folder, "Eyes-7B-Q8_0.gguf", pad_to=SMALL + 1)
    projector_gguf(folder / "mmproj-f16.gguf")

    with pytest.raises(CopyNeededError):
        take(library, tmp_path / "models")
    assert files_below(library.layout.hub) == []


def test_a_file_that_anybody_may_write_is_copied_and_not_linked(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    source.chmod(0o666)
    found = take(library, source)

    assert found.imported[0].how == "copied"
    blob = library.layout.blob(the_one(found).repo, digest_of(the_one(found).files[0].sha256))
    assert not blob.samefile(source)
    assert blob.stat().st_mode & 0o022 == 0


def test_a_file_that_is_written_to_meanwhile_is_refused(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")

    def meddle(*_: object) -> None:
        with source.open("ab") as file:
            file.write(b"more")

    with pytest.raises(ChangedWhileReadError):
        take(library, source, progress=meddle)
    assert files_below(library.layout.hub) == []
    assert library.receipts() == ()


def test_C43_a_file_that_is_exchanged_after_it_was_read_is_refused(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    other = a_model(tmp_path / "other", seed=9)
    size = source.stat().st_size

    class Exchanging(SomeLinks):
        def hard_link(self, old: Path, new: Path) -> bool:
            if old == source:
                other.replace(source)
            return super().hard_link(old, new)

    exchanged = a_library(tmp_path / "home", Exchanging(symlinks=True, hard_links=True))
    with pytest.raises(ChangedWhileReadError):
        take(exchanged, source)
    assert source.stat().st_size == size
    assert files_below(exchanged.layout.hub) == []
    assert exchanged.receipts() == ()


def test_told_to_end_it_ends_and_leaves_nothing(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads", pad_to=20 * 1024 * 1024)
    stop = threading.Event()

    with pytest.raises(HashingEndedError):
        take(library, source, progress=lambda *_: stop.set(), stop=stop)
    assert files_below(library.layout.hub) == []


def test_told_to_end_while_it_copies_it_leaves_nothing(tmp_path: Path) -> None:
    library = a_library(tmp_path / "home", NO_LINKS)
    source = a_model(tmp_path / "downloads", pad_to=20 * 1024 * 1024)
    stop = threading.Event()
    seen: list[int] = []

    def told(_file: str, done: int, total: int) -> None:
        seen.append(done)
        if seen.count(total) and done < total:
            stop.set()

    with pytest.raises(HashingEndedError, match="Copying"):
        take(library, source, copies=True, progress=told, stop=stop)
    assert files_below(library.layout.hub) == []


def hostile_gguf(what: str, good: bytes) -> bytes:
    header = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1)
    return {
        "cut short": good[:-1],
        "too many tensors": struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 0),
        "a string beyond the end": header + struct.pack("<Q", 2**62) + b"key",
        "an unknown version": struct.pack("<4sIQQ", b"GGUF", 99, 0, 0),
        "big-endian": struct.pack(">4sIQQ", b"GGUF", 3, 0, 0),
    }[what]


HOSTILE = ["cut short", "too many tensors", "a string beyond the end", "an unknown version", "big-endian"]


@pytest.mark.parametrize("what", HOSTILE)
def test_D47_a_hostile_gguf_is_refused_before_anything_is_read_whole(
    tmp_path: Path, library: Library, what: str
) -> None:
    source = a_model(tmp_path / "downloads")
    source.write_bytes(hostile_gguf(what, source.read_bytes()))
    told: list[object] = []

    with pytest.raises(BadGgufError):
        take(library, source, progress=lambda *one: told.append(one))
    assert told == []
    assert files_below(library.layout.hub) == []


def test_D47_a_hostile_gguf_in_a_cache_is_skipped_even_with_the_right_hash(tmp_path: Path, library: Library) -> None:
    other, _ = a_cache(tmp_path, {NAME: struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 0)})
    an_artifact(other, "org/fine", {"Fine-7B-Q8_0.gguf": gguf_bytes(tmp_path)})
    found = take(library, tmp_path / "other/hub")

    assert the_one(found).repo == "org/fine"
    assert "tensors" in found.skipped[0].reason


A_LIE = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}).encode()


@pytest.mark.parametrize(
    "header",
    [struct.pack("<Q", 2**63) + b"{}", b"\2\0\0\0\0\0\0\0\xff\xff", struct.pack("<Q", len(A_LIE)) + A_LIE + b"1234"],
)
def test_D50_hostile_safetensors_are_refused(tmp_path: Path, library: Library, header: bytes) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_bytes(header)

    with pytest.raises(BadSafetensorsError):
        take(library, tmp_path / "model")
    assert files_below(library.layout.hub) == []


def test_a_device_or_a_pipe_is_no_model(tmp_path: Path, library: Library) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ThorpError):
        take(library, tmp_path / "pipe.gguf")


def test_a_library_that_cannot_note_it_gives_everything_back(tmp_path: Path, library: Library) -> None:
    source = a_model(tmp_path / "downloads")
    library.layout.receipts.parent.mkdir(parents=True, exist_ok=True)
    library.layout.receipts.write_text("in the way")

    with pytest.raises(ThorpError):
        take(library, source)
    assert files_below(library.layout.hub) == []
    assert source.exists()


def test_the_revision_depends_on_every_file_and_not_on_their_order() -> None:
    files = [("a", 1, "0" * 64), ("b", 2, "1" * 64)]

    assert revision_of(files) == revision_of(files[::-1])
    assert len(revision_of(files)) == 40
    assert revision_of(files) != revision_of([files[0], ("b", 3, "1" * 64)])


def test_a_receipt_is_what_is_on_the_disk(tmp_path: Path, library: Library) -> None:
    receipt = the_one(take(library, a_model(tmp_path / "downloads")))

    assert read_receipt(library.path(receipt)) == receipt
