"""What of this library other nodes of the household may see and have: whole, not gated, not kept back by the owner.

Nothing else is listed, and no bytes of anything else are given away, whoever knows their hash.
"""

import asyncio
import base64
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from thorp.base.clock import Clock
from thorp.base.errors import NotFoundError, ThorpError
from thorp.base.files import DISK, explaining, read_bounded
from thorp.models.layout import PUBLICATION, UNSHARED, digest_of
from thorp.models.library import Library
from thorp.models.receipts import Receipt, ReceiptFile
from thorp.models.types import SourceKind
from thorp.swarm.bencoded import LARGEST as LARGEST_TORRENT
from thorp.wire.canonical import canonical_bytes
from thorp.wire.capabilities.sharing import BlobAnswer, BlobRequest, ModelHeads, TorrentAnswer, TorrentRequest
from thorp.wire.capability import Call, Nothing
from thorp.wire.publication import LARGEST as LARGEST_PUBLICATION
from thorp.wire.shared import LARGEST_LIST, MOST_FILES, MOST_MODELS, SharedFile, SharedModel, list_digest

log = logging.getLogger(__name__)
MOST_TOLD: Final = 1000
RIDING: Final = frozenset({SourceKind.HUB, SourceKind.LAN, SourceKind.SWARM})
LOOK_AGAIN: Final = 2.0  # seconds for which the receipts are taken for what they were; whether they may be shown is not
LONGEST_LICENSE: Final = 255  # as a list takes it; a header may have more to say
HEADROOM: Final = 4096  # what is around the models of a list on the wire


class NotSharedError(NotFoundError):
    """Something that this node does not have, or keeps for itself; who asks is not told which."""

    code = "models.not_shared"


def is_kept_back(library: Library, receipt: Receipt) -> bool:
    """Whether its owner said that this model is for this node alone."""
    return library.path(receipt).with_name(UNSHARED).exists()


def keep_back(library: Library, receipt: Receipt, *, kept: bool) -> None:
    """Say that a model is for this node alone, or take that back. It counts from the next question on."""
    note = library.path(receipt).with_name(UNSHARED)
    with explaining("write", note):
        if kept:
            note.touch(0o600)
        else:
            note.unlink(missing_ok=True)


def publication_of(library: Library, receipt: Receipt) -> dict[str, object] | None:
    """What its owner published about a model, as it was signed; None without one that can be read."""
    with suppress(ThorpError, ValueError, RecursionError):
        found: object = json.loads(
            read_bounded(DISK, library.path(receipt).with_name(PUBLICATION), LARGEST_PUBLICATION)
        )
        canonical_bytes(found)
        if isinstance(found, dict):
            return cast("dict[str, object]", found)
    return None


def rides(library: Library, receipt: Receipt) -> bool:
    """Whether it may go by torrent: everybody can have it from a hub, or its owner published it."""
    return receipt.source.kind in RIDING or library.path(receipt).with_name(PUBLICATION).exists()


@dataclass(eq=False, slots=True)
class Shared:
    """The library as the household sees it. Blocks."""

    library: Library
    clock: Clock
    household: Callable[[], bool]  # whether this node shares at all
    _looked: float | None = None
    _receipts: tuple[Receipt, ...] = ()
    _by_hash: dict[str, list[Receipt]] = field(default_factory=dict[str, list[Receipt]])
    _told: set[str] = field(default_factory=set[str])  # of what cannot be listed; once is enough
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def models(self) -> tuple[SharedModel, ...]:
        """Everything that members may have, newest first, as much of it as one list holds."""
        receipts = [one for one in self._read(anew=True) if self.may_be_seen(one)]  # who reads it may ask for it
        receipts.sort(key=lambda one: (one.downloaded_at, one.key), reverse=True)
        return tuple(self._fitting(receipts))

    def _fitting(self, receipts: list[Receipt]) -> Iterator[SharedModel]:
        room = LARGEST_LIST - HEADROOM
        for receipt in receipts[:MOST_MODELS]:
            if (model := self._model(receipt)) is None:
                continue
            room -= len(model.model_dump_json()) + 1
            if room < 0:
                return
            yield model

    def may_be_seen(self, receipt: Receipt) -> bool:
        return (
            self.household()
            and not receipt.gated
            and not is_kept_back(self.library, receipt)
            and self.library.state(receipt).complete
        )

    def _model(self, receipt: Receipt) -> SharedModel | None:
        by_torrent = rides(self.library, receipt)
        files = tuple(self._file(receipt, one, by_torrent=by_torrent) for one in receipt.files[: MOST_FILES + 1])
        if len(files) > MOST_FILES:
            return None
        try:
            return SharedModel(
                model_id=receipt.model_id,
                repo=receipt.repo,
                revision=receipt.revision,
                version=receipt.version,
                artifact=receipt.artifact,
                format=receipt.format.value,
                quant=receipt.quant,
                size_bytes=receipt.size_bytes,
                license=receipt.license[:LONGEST_LICENSE] if receipt.license else None,
                parameters=receipt.parameters,
                projector=receipt.projector,
                added=receipt.downloaded_at,
                files=files,
                publication=publication_of(self.library, receipt),
            )
        except ValueError as error:  # an old receipt may have what no list takes
            self._not_listed(receipt, error)
            return None

    def _not_listed(self, receipt: Receipt, error: ValueError) -> None:
        if receipt.key not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(receipt.key)
            log.warning("%s cannot be listed to members: %s", receipt.model_id, error)

    def _file(self, receipt: Receipt, file: ReceiptFile, *, by_torrent: bool) -> SharedFile:
        there = self.library.cache.find(receipt.repo, receipt.revision, file)
        named = there is not None and there.parent == self.library.layout.blobs(receipt.repo)
        return SharedFile(
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            blob=there.name if there and named else file.sha256,
            infohash=file.infohash if by_torrent else None,
        )

    def blob(self, sha256: str) -> BlobAnswer:
        """Where the bytes of a hash lie. Kept from everybody: told without a place."""
        kept = False
        for receipt, file in self._with_hash(sha256):
            if not self.may_be_seen(receipt):
                kept = True
            elif (at := self.library.cache.find(receipt.repo, receipt.revision, file)) is not None:
                return BlobAnswer(path=str(at), size=file.size, shareable=True)
        if kept:
            return BlobAnswer(path="", size=0, shareable=False)
        raise NotSharedError("This node has no such file to give away.")

    def torrent(self, infohash: str) -> bytes:
        for receipt in self._read():
            if any(one.infohash == infohash for one in receipt.files) and self._gives_by_torrent(receipt):
                return self.torrent_file(digest_of(infohash))
        raise NotSharedError("This node has no such torrent to give away.")

    def torrent_file(self, infohash: bytes) -> bytes:
        """A torrent as it lies here, for who knows already that it may be given away."""
        return read_bounded(DISK, self.library.layout.torrent(infohash), LARGEST_TORRENT)

    def _gives_by_torrent(self, receipt: Receipt) -> bool:
        return self.may_be_seen(receipt) and rides(self.library, receipt)

    def seeds(self) -> dict[str, Path]:
        """Where the files lie that members may have by torrent, by infohash."""
        found: dict[str, Path] = {}
        for receipt in filter(self._gives_by_torrent, self.library.receipts()):
            for file in receipt.files:
                at = self.library.cache.find(receipt.repo, receipt.revision, file) if file.infohash else None
                if file.infohash and at is not None:
                    found[file.infohash] = at
        return found

    def _with_hash(self, sha256: str) -> Iterator[tuple[Receipt, ReceiptFile]]:
        self._read()
        for receipt in self._by_hash.get(sha256, ()):
            yield receipt, next(one for one in receipt.files if one.sha256 == sha256)

    def _read(self, *, anew: bool = False) -> tuple[Receipt, ...]:
        """The receipts, read anew every other second: one file is asked for in many parts."""
        with self._lock:
            now = self.clock.monotonic()
            if anew or self._looked is None or now - self._looked > LOOK_AGAIN:
                by_hash: dict[str, list[Receipt]] = defaultdict(list)
                self._receipts = self.library.receipts()
                for receipt in self._receipts:
                    for digest in {one.sha256 for one in receipt.files}:
                        by_hash[digest].append(receipt)
                self._by_hash, self._looked = dict(by_hash), now
            return self._receipts


@dataclass(frozen=True, slots=True)
class SharingDesk:
    """What the mesh of this node asks about the library."""

    shared: Shared

    async def heads(self, call: Call[Nothing]) -> ModelHeads:
        _ = call
        models = await asyncio.to_thread(self.shared.models)
        return ModelHeads(models=models, digest=await asyncio.to_thread(list_digest, models))

    async def blob(self, call: Call[BlobRequest]) -> BlobAnswer:
        return await asyncio.to_thread(self.shared.blob, call.input.sha256)

    async def torrent(self, call: Call[TorrentRequest]) -> TorrentAnswer:
        content = await asyncio.to_thread(self.shared.torrent, call.input.infohash)
        return TorrentAnswer(content=base64.b64encode(content).decode())
