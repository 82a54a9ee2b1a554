"""Reads a model out of a bundle. A stranger may have written it: nothing in it decides where bytes go, or how many.

The first member says what follows, and exactly that has to follow. No file gets its name before all are proven.
"""

import hashlib
import json
import os
import shutil
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypedDict, Unpack, cast

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import ConflictError, ThorpError
from thorp.base.files import explaining
from thorp.base.moments import rfc3339
from thorp.base.printable import printable
from thorp.formats.errors import shown
from thorp.formats.facts import ModelFacts
from thorp.models.adopt_files import BusyFileError, Progress, Work, stands, undo
from thorp.models.adopt_filing import file_away, is_present, known_receipt, read_headers
from thorp.models.adopt_types import Adopted, Arrival, Arrived, ImportedModel
from thorp.models.bundle import FILES, MANIFEST, PIECES, RECEIPT, SCHEMA
from thorp.models.bundle_tar import BLOCK, BadBundleError, TarReader, begins_as
from thorp.models.hashing import STEP, HashingEndedError, Pieces
from thorp.models.ids import derive_model_id, parse_model_id
from thorp.models.layout import DIGEST
from thorp.models.library import Library
from thorp.models.partial import Partial
from thorp.models.ports import Stop
from thorp.models.receipts import LARGEST, SHA256, Origin, Receipt, ReceiptFile, parse_receipt
from thorp.models.refs import BadRefError, check_path, check_revision
from thorp.models.room import check_room
from thorp.models.selection import MOST_FILES
from thorp.models.stores import Stores
from thorp.models.types import Format, SourceKind
from thorp.models.uses import filing
from thorp.swarm.recipes import PIECE

SHA1: Final = 20
LONGEST_WORD: Final = 200
LARGEST_FILE: Final = 2**50


UNPACKED: Final = "files"  # in the scratch folder


class NewerBundleError(ConflictError):
    """A bundle that a newer Thorp has written."""

    code = "models.newer_bundle"


@dataclass(frozen=True, slots=True)
class _Listed:
    file: ReceiptFile
    has_pieces: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What has to follow, in this order."""

    receipt_size: int
    receipt_sha256: str
    files: tuple[_Listed, ...]

    @property
    def size(self) -> int:
        return sum(one.file.size for one in self.files)

    def pieces(self) -> Iterator[ReceiptFile]:
        """The files whose piece hashes come along, each content once."""
        yield from {one.file.sha256: one.file for one in self.files if one.has_pieces}.values()


def is_bundle(source: Path) -> bool:
    """Whether a file begins as a bundle does. Looks at one block."""
    with suppress(OSError):
        if stat.S_ISREG(source.stat().st_mode):
            with source.open("rb") as file:
                return begins_as(file.read(BLOCK), MANIFEST)
    return False


class Watched(TypedDict):
    """Who hears how far it is, and who ends it."""

    progress: Progress
    stop: Stop


def import_bundle(
    library: Library, stores: Stores, clock: Clock, randomness: Randomness, source: Path, **by: Unpack[Watched]
) -> Adopted:
    """Take the model of a bundle into the library, all or nothing."""
    stores.open(library.layout.hub, randomness)
    source = source.resolve()
    work = Work(library, copies=True, **by)
    with explaining("read", source), os.fdopen(library.cache.open(source), "rb", STEP) as file:
        return Adopted((_Unpacking(work, clock, file, TarReader(file, shown(source.name))).run(),))


def parse_manifest(text: bytes, title: str) -> Manifest:
    """The first member, checked: what it says becomes paths and sizes."""
    try:
        data: object = json.loads(text)
        if not isinstance(data, dict):
            raise _bad(title, "has no manifest that is one")
        given = cast("Mapping[str, Any]", data)
        if (schema := given.get("schema")) != SCHEMA:
            if isinstance(schema, int) and schema > SCHEMA:
                raise NewerBundleError(f"`{title}` was written by a newer Thorp. Use that one to import it.")
            raise _bad(title, "has a manifest of an unknown kind")
        files = tuple(_listed(one) for one in given["files"][: MOST_FILES + 1])
        manifest = Manifest(_number(given["receipt"]["size"]), _sha256(given["receipt"]["sha256"]), files)
    except (KeyError, TypeError, ValueError, RecursionError, BadRefError):
        raise _bad(title, "has a manifest that makes no sense") from None
    if not 0 < len(files) <= MOST_FILES or manifest.receipt_size > LARGEST:
        raise _bad(title, "lists more than any model has, or nothing")
    _refuse_collisions(files, title)
    return manifest


@dataclass(frozen=True, slots=True)
class _Unpacking:
    work: Work
    clock: Clock
    file: BinaryIO
    tar: TarReader

    def run(self) -> ImportedModel:
        library = self.work.library
        text = self._manifest()
        manifest = parse_manifest(text, self.tar.title)
        if manifest.size > os.fstat(self.file.fileno()).st_size:
            self.tar.refuse("promises more bytes than it has")
        given = self._receipt(manifest)
        known = known_receipt(library, given)
        if known is not None and is_present(library, known, given):
            return ImportedModel(known, "present")
        check_room(library.layout.hub, manifest.size)
        scratch = Partial.held(library.layout.partial(given.repo, hashlib.sha256(text).digest()), 0)
        if scratch is None:
            raise BusyFileError("Another process imports the same bundle just now. Try again when it is done.")
        try:
            return self._unpack(manifest, given, known, scratch.folder / UNPACKED)
        finally:
            shutil.rmtree(scratch.folder / UNPACKED, ignore_errors=True)
            scratch.discard()
            scratch.release()
            top = library.layout.repo(given.repo)
            with filing(top), suppress(OSError):  # something lies there
                top.rmdir()

    def _unpack(self, manifest: Manifest, given: Receipt, known: Receipt | None, folder: Path) -> ImportedModel:
        pieces = {one.sha256: self._pieces(one) for one in manifest.pieces()}
        arrived = tuple(self._file(one.file, folder, pieces.get(one.file.sha256)) for one in manifest.files)
        if self.tar.next() is not None:
            self.tar.refuse("holds more files than its manifest says")
        places = {one.path: folder.joinpath(*one.path.split("/")) for one in given.files}
        facts = read_headers(tuple(places.values()), places[given.projector] if given.projector else None)
        receipt = _own_receipt(given, facts, rfc3339(self.clock.wall()), known.aliases if known else ())
        return ImportedModel(self._keep(receipt, facts, arrived, places), "copied")

    def _keep(
        self, receipt: Receipt, facts: ModelFacts, arrived: tuple[Arrived, ...], places: Mapping[str, Path]
    ) -> Receipt:
        made: list[bytes] = []
        entries: list[Path] = []
        try:
            for one in arrived:
                if one.digest not in made and not stands(self.work, receipt.repo, one):
                    made.append(one.digest)
                    self.work.cache.keep(receipt.repo, one.digest, places[one.path])
            return file_away(self.work.library, receipt, Arrival(arrived, facts), entries)
        except BaseException:
            undo(self.work, receipt.repo, receipt.revision, made, entries)
            raise

    def _manifest(self) -> bytes:
        member = self.tar.next()
        if member is None or member.name != MANIFEST or member.size > LARGEST:
            self.tar.refuse("does not begin with a manifest")
        return self.tar.read(member.size)

    def _receipt(self, manifest: Manifest) -> Receipt:
        """What the bundle says it holds; it has to say the same twice."""
        self._expect(RECEIPT, manifest.receipt_size)
        text = self.tar.read(manifest.receipt_size)
        if hashlib.sha256(text).hexdigest() != manifest.receipt_sha256:
            self.tar.refuse("has a receipt that is not what its manifest says")
        receipt = parse_receipt(text, f"{self.tar.title}/{RECEIPT}")
        listed = [(one.file.path, one.file.size, one.file.sha256) for one in manifest.files]
        if listed != [(one.path, one.size, one.sha256) for one in receipt.files]:
            self.tar.refuse("has a receipt of other files than its manifest says")
        return receipt

    def _pieces(self, file: ReceiptFile) -> bytes:
        size = -(-file.size // PIECE) * SHA1
        self._expect(f"{PIECES}{file.sha256}.pieces", size)
        return self.tar.read(size)

    def _file(self, file: ReceiptFile, folder: Path, pieces: bytes | None) -> Arrived:
        """One file, written to the scratch folder and on disk when this returns."""
        self._expect(f"{FILES}{file.path}", file.size)
        at = folder.joinpath(*file.path.split("/"))
        whole, hashes, done = hashlib.sha256(), Pieces(), 0
        with explaining("write", at):
            at.parent.mkdir(0o700, parents=True, exist_ok=True)
            handle = os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb", 0) as out:
                while data := self.tar.read(STEP):
                    self._go_on()
                    whole.update(data)
                    hashes.update(memoryview(data))
                    out.write(data)
                    done += len(data)
                    self.work.progress(file.path, done, file.size)
                os.fsync(out.fileno())
        digest = whole.digest()
        if digest.hex() != file.sha256 or (pieces is not None and pieces != hashes.digest()):
            self.tar.refuse(f"has other bytes of `{shown(file.path)}` than its manifest says")
        return Arrived(file.path, file.size, file.sha256, hashes.digest(), digest)

    def _expect(self, name: str, size: int) -> None:
        self._go_on()
        member = self.tar.next()
        if member is None or (member.name, member.size) != (name, size):
            self.tar.refuse(f"does not have `{shown(name)}` where its manifest says, or not in that size")

    def _go_on(self) -> None:
        if self.work.stop.is_set():
            raise HashingEndedError("Importing was ended before it was through. Nothing was kept; run it again.")


def _own_receipt(given: Receipt, facts: ModelFacts, now: str, aliases: tuple[str, ...]) -> Receipt:
    """A receipt of ours: what the headers say instead of what the bundle says, and its words only where they fit."""
    if Format(facts.format) is not given.format:
        raise BadBundleError("The bundle's receipt names another format than its files have. Nothing was imported.")
    derived = derive_model_id(given.repo, given.files[0].path, parameters=facts.parameters, file_type=facts.quant)
    model_id = parse_model_id(given.model_id) or derived
    return Receipt(
        model_id=str(model_id),
        repo=given.repo,
        revision=given.revision,
        version=_version(given),
        artifact=given.artifact,
        format=given.format,
        files=given.files,
        source=Origin(SourceKind.IMPORT, "bundle"),
        downloaded_at=now,
        verified_at=now,
        aliases=aliases,
        claimed_by=_word(given.claimed_by),
        license=_word(given.license) or facts.license,
        gated=given.gated,
        architecture=facts.architecture,
        parameters=facts.parameters,
        context_length=facts.context_length,
        quant=model_id.quant,
        modalities=facts.modalities,
        projector=given.projector,
    )


def _version(given: Receipt) -> str:
    with suppress(ThorpError):
        return check_revision(given.version)
    return given.revision


def _word(text: object) -> str | None:
    return printable(text) if isinstance(text, str) and 0 < len(text) <= LONGEST_WORD else None


def _listed(given: Any) -> _Listed:
    file = ReceiptFile(check_path(str(given["path"])), _number(given["size"]), _sha256(given["sha256"]))
    pieces = given["pieces"]
    if pieces not in (None, f"{PIECES}{file.sha256}.pieces"):
        raise ValueError("the hashes of its pieces lie elsewhere")
    return _Listed(file, pieces is not None)


def _number(given: object) -> int:
    if type(given) is not int or not 0 <= given <= LARGEST_FILE:
        raise ValueError("a size is no size")
    return given


def _sha256(given: object) -> str:
    if not isinstance(given, str) or len(given) != SHA256 or not DIGEST.fullmatch(given):
        raise ValueError("a hash is no hash")
    return given


def _refuse_collisions(files: tuple[_Listed, ...], title: str) -> None:
    """Every path once, on file systems that ignore case too; and no file is a folder of others."""
    keys = [unicodedata.normalize("NFC", one.file.path.casefold()) for one in files]
    folders = {"/".join(parts[:length]) for key in keys if (parts := key.split("/")) for length in range(1, len(parts))}
    if len(set(keys)) < len(keys) or not folders.isdisjoint(keys):
        raise _bad(title, "has two files with one name")


def _bad(title: str, complaint: str) -> BadBundleError:
    return BadBundleError(f"`{title}` {complaint}. Nothing was imported; export the model again.")
