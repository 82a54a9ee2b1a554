"""Shares a model and ceases to: the marks beside its receipt, its torrents, and the signed manifest that goes with it.

Nothing is published that was not compared with its receipt: what becomes a torrent for everybody is read once more.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import IntegrityError, ThorpError
from thorp.base.files import DISK, explaining, read_bounded, write_atomically
from thorp.base.moments import rfc3339
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.models.adopt_files import Progress
from thorp.models.hashing import STEP, HashingEndedError, Pieces, hash_file
from thorp.models.layout import PUBLICATION, UNSHARED, digest_of
from thorp.models.library import Library
from thorp.models.named import named_torrents
from thorp.models.ports import Stop
from thorp.models.publish_plan import (
    OWN,
    Kind,
    Manifest,
    NotShareableError,
    Terms,
    manifest_of,
    refuse_if_unshared,
    refuse_unless_shareable,
    torrents_of,
)
from thorp.models.receipts import Receipt, ReceiptFile, read_receipt
from thorp.models.sealed import Bytes, card_of, sealed
from thorp.models.uses import filing, using
from thorp.swarm.magnets import magnet_of
from thorp.swarm.merkle import Leaves
from thorp.swarm.recipes import Torrent, public_torrent
from thorp.wire.canonical import canonical_bytes
from thorp.wire.publication import (
    LARGEST,
    Publication,
    PublishedTorrent,
    SignedPublication,
    check_publication,
    read_publication,
    sign_publication,
)

PUBLIC: Final = "public"


class ChangedSinceError(IntegrityError):
    """A file that is not what its receipt says, found when it was to be published."""

    code = "models.changed_since"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a model is shared now."""

    receipt: Receipt
    signed: SignedPublication | None


@dataclass(frozen=True, slots=True)
class PublicSeed:
    """What everybody may have of this node."""

    infohash: bytes
    torrent: Path
    at: Path  # the file itself
    dht: bool


@dataclass(frozen=True, slots=True)
class Publisher:
    library: Library
    clock: Clock
    key: Callable[[], NodeKey]

    def share(self, receipt: Receipt, terms: Terms, kind: Kind, progress: Progress, stop: Stop) -> Outcome:
        """Let a model be shared, from when this returns. What was public before and is not any more is withdrawn."""
        library, path = self.library, self.library.path(receipt)
        with using(path, touching=False):
            current = read_receipt(path)
            note = _identity(path.with_name(UNSHARED))
            refuse_unless_shareable(library.state(current), terms, kind, kept_back=note is not None)
            if terms.manifest is Manifest.WRITE:
                self._signed(current, terms, ())  # before all of it is read for nothing
            public: list[PublishedTorrent] = []
            files = current.files
            try:
                if terms.public:
                    public.extend(self._public(current, terms, progress, stop))
                if terms.manifest is Manifest.WRITE:
                    files = self._with_torrents(current, progress, stop)
                with filing(library.layout.receipts):
                    current = read_receipt(path)  # it may have got another name while we were reading
                    refuse_if_unshared(current, note, _identity(path.with_name(UNSHARED)))
                    before = self._manifest(current)
                    current = self._entered(current, files, terms, tuple(public))
                    self._clear(_torrents(before), current)
            except BaseException:
                with filing(library.layout.receipts):
                    self._clear((*public, *torrents_of(replace(current, files=files))), current)
                raise
        return Outcome(current, self._manifest(current))

    def _entered(
        self, current: Receipt, files: tuple[ReceiptFile, ...], terms: Terms, public: tuple[PublishedTorrent, ...]
    ) -> Receipt:
        """What says on the disk that it is shared, and how."""
        path = self.library.path(current)
        if terms.manifest is Manifest.WRITE:
            said = replace(current, files=files, license=current.license or terms.license)
            content = self._signed(said, terms, public)
            current = self._filed(said, current)
            write_atomically(DISK, path.with_name(PUBLICATION), content)
        elif terms.manifest is Manifest.NONE:
            current = self._filed(self._without_manifest(current), current)
        with explaining("write", path):
            path.with_name(UNSHARED).unlink(missing_ok=True)
            DISK.sync_folder(path.parent)
        return current

    def unshare(self, receipt: Receipt) -> bool:
        """Keep a model to this node, from when this returns. Whether everybody could have it before."""
        library, path = self.library, self.library.path(receipt)
        with filing(library.layout.receipts):
            write_atomically(DISK, path.with_name(UNSHARED), b"")
            current = read_receipt(path)
            before = self._manifest(current)
            current = self._filed(self._without_manifest(current), current)
            self._clear(_torrents(before), current)
        return any(one.recipe == PUBLIC for one in _torrents(before))

    def _manifest(self, receipt: Receipt) -> SignedPublication | None:
        with suppress(ThorpError):
            return read_publication(read_bounded(DISK, self.library.path(receipt).with_name(PUBLICATION), LARGEST))
        return None

    def _filed(self, receipt: Receipt, before: Receipt) -> Receipt:
        if receipt != before:
            self.library.put(receipt)
        return receipt

    def _signed(self, receipt: Receipt, terms: Terms, public: tuple[PublishedTorrent, ...]) -> bytes:
        key = self.key()
        torrents = (*torrents_of(receipt), *public)
        said = manifest_of(receipt, terms, torrents, key.node_id, rfc3339(self.clock.wall()))
        content = canonical_bytes(sign_publication(said, key).model_dump(mode="json"))
        if len(content) > LARGEST:
            raise NotShareableError(
                f"{receipt.model_id} is not shared: its manifest would have more than {LARGEST} bytes.",
                model_id=receipt.model_id,
            )
        return content

    def _without_manifest(self, receipt: Receipt) -> Receipt:
        """Its manifest is gone first; then what is the owner's own has no torrent any more."""
        at = self.library.path(receipt).with_name(PUBLICATION)
        with explaining("remove", at):
            at.unlink(missing_ok=True)
            DISK.sync_folder(at.parent)
        if receipt.source.kind not in OWN:
            return receipt
        return replace(receipt, files=tuple(replace(one, infohash=None) for one in receipt.files))

    def _clear(self, torrents: Iterable[PublishedTorrent], current: Receipt) -> None:
        """Remove those of these torrents that nothing names now."""
        if not (old := tuple(torrents)):
            return
        named = set[str]()
        for one in (*self.library.receipts(), current):
            named |= named_torrents(self.library, one)
        for torrent in old:
            if torrent.infohash not in named:
                at = self.library.layout.torrent(digest_of(torrent.infohash))
                with explaining("remove", at):
                    at.unlink(missing_ok=True)

    def _with_torrents(self, receipt: Receipt, progress: Progress, stop: Stop) -> tuple[ReceiptFile, ...]:
        """Each file with its household torrent."""
        files: list[ReceiptFile] = []
        for one in receipt.files:
            if one.infohash or not one.size:
                files.append(one)
                continue
            pieces = self.library.pieces(receipt, one.sha256) or self._pieces(receipt, one, progress, stop)
            proven = Bytes(one.path, one.size, one.sha256, pieces)
            files.append(sealed(self.library.layout, proven, card_of(receipt), gated=receipt.gated))
        return tuple(files)

    def _pieces(self, receipt: Receipt, file: ReceiptFile, progress: Progress, stop: Stop) -> bytes:
        handle = self.library.cache.open(self._at(receipt, file))
        try:
            hashes = hash_file(handle, file.size, told=lambda done: progress(file.path, done, file.size), stop=stop)
        finally:
            os.close(handle)
        if hashes.sha256 != file.sha256:
            raise self._changed(receipt, file)
        return hashes.pieces

    def _public(self, receipt: Receipt, terms: Terms, progress: Progress, stop: Stop) -> Iterator[PublishedTorrent]:
        for one in receipt.files:
            if one.size:
                torrent = self._public_torrent(receipt, one, terms.piece, progress, stop)
                at = self.library.layout.torrent(torrent.infohash)
                with explaining("write", at):
                    at.parent.mkdir(0o700, parents=True, exist_ok=True)
                write_atomically(DISK, at, torrent.content)
                second = torrent.infohash_v2.hex() if torrent.infohash_v2 else None
                yield PublishedTorrent(
                    path=one.path, recipe=PUBLIC, infohash=torrent.infohash.hex(), infohash_v2=second
                )

    def _public_torrent(
        self, receipt: Receipt, file: ReceiptFile, piece: int, progress: Progress, stop: Stop
    ) -> Torrent:
        """The torrent for everybody, of bytes that are read and compared now."""
        whole, pieces, leaves = hashlib.sha256(), Pieces(piece), Leaves(piece)
        handle = self.library.cache.open(self._at(receipt, file))
        at = 0
        try:
            with explaining("read", self.library.layout.file(receipt.repo, receipt.revision, file.path)):
                while data := os.pread(handle, STEP, at):
                    if stop.is_set():
                        raise HashingEndedError("Sharing was ended before it was through. Run it again.")
                    whole.update(data)
                    pieces.update(memoryview(data))
                    leaves.update(data)
                    at += len(data)
                    progress(file.path, at, file.size)
        finally:
            os.close(handle)
        if (whole.hexdigest(), at) != (file.sha256, file.size):
            raise self._changed(receipt, file)
        name = PurePosixPath(file.path).name
        return public_torrent(name, at, pieces.digest(), leaves.digest(), card=card_of(receipt))

    def _at(self, receipt: Receipt, file: ReceiptFile) -> Path:
        at = self.library.cache.find(receipt.repo, receipt.revision, file)
        if at is None:
            raise self._changed(receipt, file)
        return at

    def _changed(self, receipt: Receipt, file: ReceiptFile) -> ChangedSinceError:
        self.library.note_damage(receipt, damaged=True)
        return ChangedSinceError(
            f"`{file.path}` of {receipt.model_id} is not what its receipt says, so it was not shared. "
            f"`thorp models repair {receipt.model_id}` mends it.",
            model_id=receipt.model_id,
        )


def _torrents(signed: SignedPublication | None) -> tuple[PublishedTorrent, ...]:
    return signed.publication.torrents if signed else ()


def _identity(note: Path) -> tuple[int, int] | None:
    """Which note this is: one that was written again is another one. None: there is none."""
    try:
        found = note.lstat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


def own_manifest(library: Library, receipt: Receipt, node: NodeId) -> Publication | None:
    """What this node published about a model and still does; None for everything else, however it looks."""
    path = library.path(receipt)
    if receipt.gated or path.with_name(UNSHARED).exists():
        return None
    with suppress(ThorpError):
        given = read_bounded(DISK, path.with_name(PUBLICATION), LARGEST)
        files = ((one.path, one.size, one.sha256) for one in receipt.files)
        said = check_publication(given, receipt.repo, receipt.revision, files)
        return said if said.publisher == node else None
    return None


def magnets_of(said: Publication) -> dict[str, str]:
    """The links to what everybody may have, by the path of the file."""
    return {
        one.path: magnet_of(
            digest_of(one.infohash),
            digest_of(one.infohash_v2) if one.infohash_v2 else None,
            name=PurePosixPath(one.path).name,
        )
        for one in said.torrents
        if one.recipe == PUBLIC
    }


def public_seeds(library: Library, node: NodeId) -> tuple[PublicSeed, ...]:
    """All that everybody may have of this node, by its own signed word and where the files are whole."""
    found: list[PublicSeed] = []
    for receipt in library.receipts():
        said = own_manifest(library, receipt, node) if library.state(receipt).complete else None
        places = {one.path: library.cache.find(receipt.repo, receipt.revision, one) for one in receipt.files}
        for torrent in said.torrents if said else ():
            at = places.get(torrent.path)
            if torrent.recipe == PUBLIC and at is not None:
                infohash = digest_of(torrent.infohash)
                found.append(PublicSeed(infohash, library.layout.torrent(infohash), at, said is not None and said.dht))
    return tuple(found)
