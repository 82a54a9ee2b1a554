"""A bundle from a stranger brings one proven model, or nothing at all."""

import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from thorp.base.errors import ConflictError, ThorpError
from thorp.formats.errors import FormatError
from thorp.models.adopt import NameNotWantedError, adopt
from thorp.models.adopt_filing import ContradictionError
from thorp.models.adopt_types import Adopted
from thorp.models.bundle import export_bundle
from thorp.models.bundle_in import NewerBundleError, import_bundle, is_bundle, parse_manifest
from thorp.models.bundle_tar import BadBundleError
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.models.room import NoRoomError
from thorp.models.stores import Stores
from thorp.models.types import SourceKind
from thorp.models.verify import verify
from thorp.testing.clock import FakeClock, FakeRandomness
from thorp.testing.gguf import projector_gguf, tiny_gguf
from thorp.testing.library import NO_LINKS, a_library, an_artifact, put_blob

NAME = "Mistral-7B-Instruct-v0.2-Q4_K_M.gguf"
EYES = "mmproj-F16.gguf"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return a_library(tmp_path / "home")


def bring(library: Library, source: Path, **more: Any) -> Adopted:
    wishes: dict[str, Any] = {"progress": lambda *_: None, "stop": threading.Event()} | more
    stores = Stores(library.layout.stores)
    return import_bundle(library, stores, FakeClock(), FakeRandomness(), source, **wishes)


def a_bundle(tmp_path: Path, **more: Any) -> tuple[Path, Receipt]:
    tiny_gguf(tmp_path / NAME)
    projector_gguf(tmp_path / EYES)
    files = {NAME: (tmp_path / NAME).read_bytes(), EYES: (tmp_path / EYES).read_bytes()}
    other = a_library(tmp_path / "other")
    given = {"projector": EYES, "artifact": "Mistral", "model_id": "mistral:7b:instruct:q4_k_m"}
    receipt = an_artifact(other, "org/Mistral-7B-GGUF", files, **(given | more))
    target = tmp_path / "m.tar"
    export_bundle(other, receipt, target, progress=lambda *_: None, stop=threading.Event(), overwrite=True)
    return target, receipt


def files_below(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if not one.is_dir() and one.name != ".thorp-store"]


@dataclass
class Archive:
    """The members of a bundle, to be written again in another way."""

    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "Archive":
        with tarfile.open(path, "r:") as tar:
            return cls([(one, tar.extractfile(one).read()) for one in tar])  # type: ignore[union-attr]

    def write(self, path: Path, kind: int = tarfile.PAX_FORMAT) -> Path:
        with tarfile.open(path, "w", format=kind) as tar:
            for info, data in self.members:
                info.size = len(data) if info.isreg() else 0
                tar.addfile(info, io.BytesIO(data))
        return path

    def manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        said = json.loads(self.members[0][1])
        change(said)
        self.members[0] = (self.members[0][0], json.dumps(said).encode())

    def receipt(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Another receipt, which the manifest agrees with."""
        said = json.loads(self.members[1][1])
        change(said)
        text = json.dumps(said).encode()
        self.members[1] = (self.members[1][0], text)
        self.manifest(lambda one: one["receipt"].update(size=len(text), sha256=hashlib.sha256(text).hexdigest()))

    def add(self, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, at: int | None = None) -> None:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = "files/x" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
        self.members.insert(len(self.members) if at is None else at, (info, data))


def test_a_bundle_arrives_as_it_left(tmp_path: Path, library: Library) -> None:
    source, given = a_bundle(tmp_path, license="apache-2.0", claimed_by="ed25519:x", aliases=("mine",))
    told: list[tuple[str, int, int]] = []
    found = bring(library, source, progress=lambda *one: told.append(one))
    receipt = found.imported[0].receipt

    assert (found.imported[0].how, found.skipped) == ("copied", ())
    assert (receipt.repo, receipt.revision, receipt.version) == (given.repo, given.revision, "main")
    assert (receipt.source.kind, receipt.source.detail) == (SourceKind.IMPORT, "bundle")
    assert (receipt.license, receipt.claimed_by, receipt.aliases) == ("apache-2.0", "ed25519:x", ())
    assert (receipt.projector, receipt.architecture) == (EYES, "llama")
    assert library.layout.ref(given.repo, "main").read_text() == given.revision
    verdicts = verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())
    assert all(one.ok for one in verdicts)
    assert told[-1][0] == EYES
    assert not (library.layout.repo(given.repo) / ".thorp").exists()
    assert library.layout.blob(given.repo, digest_of(receipt.files[0].sha256)).stat().st_mode & 0o777 == 0o644


def test_again_is_present(tmp_path: Path, library: Library) -> None:
    source, _ = a_bundle(tmp_path)
    bring(library, source)
    assert bring(library, source).imported[0].how == "present"


def test_import_knows_a_bundle_by_looking(tmp_path: Path, library: Library) -> None:
    source, given = a_bundle(tmp_path)
    wishes: dict[str, Any] = {"license": None, "copies": False, "progress": lambda *_: None, "stop": threading.Event()}
    place = (library, Stores(library.layout.stores), FakeClock(), FakeRandomness(), source.rename(tmp_path / "odd"))

    assert is_bundle(tmp_path / "odd")
    assert not is_bundle(tmp_path / NAME)
    assert not is_bundle(tmp_path)
    with pytest.raises(NameNotWantedError):
        adopt(*place, name="a/b", **wishes)
    assert adopt(*place, name=None, **wishes).imported[0].receipt.repo == given.repo


def test_C38_a_disk_without_links_keeps_a_bundle_too(tmp_path: Path) -> None:
    library = a_library(tmp_path / "home", NO_LINKS)
    receipt = bring(library, a_bundle(tmp_path)[0]).imported[0].receipt
    verdicts = verify(library, receipt, clock=FakeClock(), progress=lambda *_: None, stop=threading.Event())

    assert all(one.ok for one in verdicts)


def test_B32_a_wrong_blob_that_stands_there_is_replaced(tmp_path: Path, library: Library) -> None:
    source, given = a_bundle(tmp_path)
    digest = digest_of(given.files[0].sha256)
    put_blob(library, given.repo, digest, b"!" * given.files[0].size)
    receipt = bring(library, source).imported[0].receipt

    assert library.layout.blob(given.repo, digest).read_bytes() == (tmp_path / NAME).read_bytes()
    assert (library.layout.quarantine(receipt.repo, digest) / "data").exists()


def trick(archive: Archive, what: str) -> None:  # noqa: C901, PLR0912, PLR0915  (a table of tricks)
    first = archive.members[0][0]
    match what:
        case "a link":
            archive.add("files/x", kind=tarfile.SYMTYPE, at=2)
        case "a file through a link":
            archive.add("files", kind=tarfile.SYMTYPE, at=2)
        case "a hard link":
            archive.add("files/x", kind=tarfile.LNKTYPE, at=2)
        case "a device":
            archive.add("files/x", kind=tarfile.CHRTYPE, at=2)
        case "a pipe":
            archive.add("files/x", kind=tarfile.FIFOTYPE)
        case "a folder":
            archive.add("files", kind=tarfile.DIRTYPE, at=2)
        case "a sparse file":
            archive.add("files/x", kind=tarfile.GNUTYPE_SPARSE, at=2)
        case "one twice":
            archive.members.append(archive.members[-1])
        case "the manifest twice":
            archive.members.insert(1, archive.members[0])
        case "one more":
            archive.add("files/more", b"more")
        case "one less":
            archive.members.pop()
        case "another order":
            archive.members[-1], archive.members[-2] = archive.members[-2], archive.members[-1]
        case "no manifest first":
            archive.members.reverse()
        case "a long name of GNU":
            first.name = "x" * 300
        case "an absolute name":
            archive.members[-1][0].name = "/files/" + EYES
        case "a way up":
            archive.members[-1][0].name = "files/../../" + EYES
        case "unknown attributes":
            archive.members[-1][0].pax_headers = {"GNU.sparse.size": "1"}
        case "other bytes":
            info, data = archive.members[-1]
            archive.members[-1] = (info, data[:-1] + bytes([data[-1] ^ 1]))
        case "more bytes":
            info, data = archive.members[-1]
            archive.members[-1] = (info, data + b"!")
        case "fewer bytes":
            info, data = archive.members[-1]
            archive.members[-1] = (info, data[:-1])
        case "other pieces":
            info, data = archive.members[2]
            archive.members[2] = (info, bytes(len(data)))
        case "another receipt":
            info, data = archive.members[1]
            archive.members[1] = (info, data.replace(b"q4_k_m", b"q5_k_m"))
        case "more than it has":
            archive.manifest(lambda one: one["files"][0].update(size=2**40))
            archive.receipt(lambda one: one["files"][0].update(size=2**40))
        case "a long manifest":
            archive.members[0] = (first, b" " * (16 * 1024 * 1024 + 1))
        case _:
            raise AssertionError(what)


TRICKS = [
    "a link", "a file through a link", "a hard link", "a device", "a pipe", "a folder", "a sparse file", "one twice",
    "the manifest twice", "one more", "one less", "another order", "no manifest first", "a long name of GNU",
    "an absolute name", "a way up", "unknown attributes", "other bytes", "more bytes", "fewer bytes", "other pieces",
    "another receipt", "more than it has", "a long manifest",
]  # fmt: skip


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("what", TRICKS)
def test_D51_every_trick_of_an_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, library: Library, what: str, kind: int
) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    trick(archive, what)
    if what in ("unknown attributes", "a long name of GNU") and kind == tarfile.USTAR_FORMAT:
        archive.members[0][0].name = "thorp-bundle.yaml"  # that format cannot say it
    if what == "unknown attributes" and kind == tarfile.GNU_FORMAT:
        kind = tarfile.PAX_FORMAT
    source = archive.write(tmp_path / "evil.tar", kind)

    with pytest.raises(BadBundleError):
        bring(library, source)
    assert files_below(library.layout.hub) == []
    assert library.receipts() == ()
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([NAME, EYES, "other", "m.tar", "evil.tar", "home"])


PATHS = ["../x.gguf", "/x.gguf", "a/../../x.gguf", "a//b", "CON", "a\\b", "a\0b", "", "x" * 600, "..", "a:b"]


@pytest.mark.parametrize("path", PATHS)
def test_D51_a_manifest_cannot_name_a_place_elsewhere(tmp_path: Path, library: Library, path: str) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    archive.manifest(lambda one: one["files"][0].update(path=path))

    with pytest.raises(BadBundleError):
        bring(library, archive.write(tmp_path / "evil.tar"))
    assert files_below(library.layout.hub) == []


def _twice(said: dict[str, Any]) -> None:
    said["files"].append(said["files"][0])


def _by_case(said: dict[str, Any]) -> None:
    said["files"].append(said["files"][0] | {"path": NAME.upper()})


def _below_a_file(said: dict[str, Any]) -> None:
    said["files"].append(said["files"][0] | {"path": f"{NAME}/x"})


@pytest.mark.parametrize(
    "change",
    [
        _twice,
        _by_case,
        _below_a_file,
        lambda one: one.pop("files"),
        lambda one: one.update(files=[]),
        lambda one: one.update(files={}),
        lambda one: one.update(receipt=None),
        lambda one: one.update(schema=0),
        lambda one: one["files"][0].update(size=-1),
        lambda one: one["files"][0].update(size=True),
        lambda one: one["files"][0].update(size=1.5),
        lambda one: one["files"][0].update(size=2**70),
        lambda one: one["files"][0].update(sha256="../x"),
        lambda one: one["files"][0].update(sha256="A" * 64),
        lambda one: one["files"][0].update(sha256="a" * 40),
        lambda one: one["files"][0].update(pieces="../x"),
        lambda one: one["receipt"].update(size=2**40),
        lambda one: one.update(files=one["files"] * 20_001),
    ],
)
def test_D51_a_manifest_that_makes_no_sense_is_refused(
    tmp_path: Path, library: Library, change: Callable[[dict[str, Any]], None]
) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    archive.manifest(change)

    with pytest.raises(BadBundleError):
        bring(library, archive.write(tmp_path / "evil.tar"))
    assert files_below(library.layout.hub) == []


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b'{"schema": "1"}'])
def test_D51_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(BadBundleError):
        parse_manifest(text, "m.tar")


def test_a_bundle_of_a_newer_thorp_says_so() -> None:
    with pytest.raises(NewerBundleError) as refused:
        parse_manifest(b'{"schema": 2}', "m.tar")
    assert isinstance(refused.value, ConflictError)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(repo="../../x"),
        lambda one: one.update(revision="main"),
        lambda one: one.update(artifact="../x"),
        lambda one: one.update(projector="elsewhere.gguf"),
        lambda one: one.update(format="safetensors"),
        lambda one: one.update(files=one["files"][:1], projector=None),
    ],
)
def test_D51_a_receipt_cannot_name_a_place_elsewhere(
    tmp_path: Path, library: Library, change: Callable[[dict[str, Any]], None]
) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    archive.receipt(change)

    with pytest.raises(ThorpError):
        bring(library, archive.write(tmp_path / "evil.tar"))
    assert files_below(library.layout.hub) == []
    assert library.receipts() == ()


def test_words_of_a_stranger_count_only_where_they_fit(tmp_path: Path, library: Library) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    odd = {"license": "x" * 300, "claimed_by": "a\x1b[2J", "version": "../../main", "model_id": "IGNORE\x1b[2J"}
    archive.receipt(lambda one: one.update(odd, aliases=["gpt-5"], quant="q2_k", context_length=1, gated=True))
    receipt = bring(library, archive.write(tmp_path / "odd.tar")).imported[0].receipt

    assert (receipt.license, receipt.claimed_by, receipt.aliases) == (None, "a\\x1b[2J", ())
    assert receipt.version == receipt.revision
    assert receipt.model_id == "mistral:7b:instruct:q4_k_m"
    assert (receipt.quant, receipt.context_length) == ("q4_k_m", 256)
    assert receipt.gated
    assert receipt.files[0].infohash is None


def test_D51_cut_anywhere_it_is_refused(tmp_path: Path, library: Library) -> None:
    source, _ = a_bundle(tmp_path)
    data = source.read_bytes()
    cuts = [0, 1, 511, 512, 513, 1024, 3000, len(data) // 2, *range(len(data) - 12 * 1024, len(data), 1024)]
    for cut in cuts:
        source.write_bytes(data[:cut])
        if data[cut:].strip(b"\0") or cut % 512:
            with pytest.raises(ThorpError):
                bring(library, source)
            assert files_below(library.layout.hub) == [], cut


@pytest.mark.parametrize("junk", [b"x", b"\0" * 100_000, b"\0" * 512 + b"x"])
def test_D51_nothing_may_stand_behind_the_end(tmp_path: Path, library: Library, junk: bytes) -> None:
    source, _ = a_bundle(tmp_path)
    with source.open("ab") as file:
        file.write(junk)

    with pytest.raises(BadBundleError, match="does not end"):
        bring(library, source)
    assert files_below(library.layout.hub) == []


def test_D47_a_model_with_a_hostile_header_does_not_come_in(tmp_path: Path, library: Library) -> None:
    other = a_library(tmp_path / "other")
    receipt = an_artifact(other, files={NAME: b"GGUF" + b"\xff" * 100})
    source = tmp_path / "m.tar"
    export_bundle(other, receipt, source, progress=lambda *_: None, stop=threading.Event())

    with pytest.raises(FormatError):
        bring(library, source)
    assert files_below(library.layout.hub) == []


def test_C37_a_disk_without_room_is_told_first(tmp_path: Path, library: Library) -> None:
    archive = Archive.of(a_bundle(tmp_path)[0])
    size = shutil.disk_usage(tmp_path).total + 1
    archive.receipt(lambda one: one["files"][0].update(size=size))
    archive.manifest(lambda one: one["files"][0].update(size=size))
    source = archive.write(tmp_path / "large.tar")
    os.truncate(source, 2 * size)  # a hole: nothing is written

    with pytest.raises(NoRoomError, match="are missing") as refused:
        bring(library, source)
    assert refused.value.exit_code == 7
    assert files_below(library.layout.hub) == []


def test_told_to_end_nothing_is_left(tmp_path: Path, library: Library) -> None:
    source, _ = a_bundle(tmp_path)
    stop = threading.Event()

    with pytest.raises(HashingEndedError):
        bring(library, source, progress=lambda *_: stop.set(), stop=stop)
    assert files_below(library.layout.hub) == []


def test_two_imports_of_one_bundle_do_not_write_over_each_other(tmp_path: Path, library: Library) -> None:
    source, _ = a_bundle(tmp_path)
    refused: list[ThorpError] = []

    def meddle(*_: object) -> None:
        with pytest.raises(ThorpError) as error:
            bring(library, source)
        refused.append(error.value)

    assert bring(library, source, progress=meddle).imported[0].how == "copied"
    assert {one.code for one in refused} == {"models.busy_file"}


def test_what_is_here_proven_and_whole_is_not_exchanged_for_other_bytes(tmp_path: Path, library: Library) -> None:
    source, given = a_bundle(tmp_path)
    kept = an_artifact(
        library,
        given.repo,
        {NAME: b"what the hub gave"},
        artifact=given.artifact,
        model_id=given.model_id,
        aliases=("mine",),
    )
    assert kept.key == given.key

    with pytest.raises(ContradictionError, match="with other bytes"):
        bring(library, source)

    assert library.one("mine") == kept
    assert library.state(kept).complete
