"""All models of this node: receipts on disk, an index that repeats them, and which of them a ref means."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.base.errors import ConflictError, NotFoundError, ThorpError
from thorp.base.files import DISK, explaining, write_atomically
from thorp.base.nearest import did_you_mean
from thorp.models.cache import Cache, whole
from thorp.models.layout import DAMAGED, PUBLICATION, RECEIPT, UNSHARED, Layout, digest_of
from thorp.models.receipts import Receipt, parse_receipt, read_receipt, receipt_text, write_receipt
from thorp.models.refs import IdRef, Query, Ref, RepoRef, parse_ref, text_of
from thorp.models.stores import Stores
from thorp.store.library_index import LibraryIndex

DEPTH: Final = 4  # org, repo, revision, artifact


class NoSuchModelError(NotFoundError):
    """No model of this node is meant by a ref."""

    code = "models.no_such_model"


class AmbiguousError(ConflictError):
    """A ref that means several models."""

    code = "models.ambiguous"


@dataclass(frozen=True, slots=True)
class Kept:
    """One model of the library, and how its files are."""

    receipt: Receipt
    missing: str = ""  # why it is not complete
    damaged: bool = False  # its files are there, and not what the receipt says

    @property
    def complete(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True)
class Scan:
    receipts: tuple[Receipt, ...]
    unreadable: tuple[str, ...]


class Library:
    def __init__(self, layout: Layout, cache: Cache, index: LibraryIndex, stores: Stores) -> None:
        self.layout = layout
        self.cache = cache
        self._index = index
        self._stores = stores

    def receipts(self) -> tuple[Receipt, ...]:
        """Every receipt, by id. The index is made anew when it is gone or cannot be read."""
        texts = self._index.texts()
        if texts is not None:
            with suppress(ThorpError):
                return _sorted(parse_receipt(text, "the index") for text in texts)
        return self.rescan().receipts

    def away(self) -> str:
        """Why the models folder cannot be used now; empty when it can."""
        return self._stores.away(self.layout.hub)

    def kept(self) -> tuple[Kept, ...]:
        away = self.away()
        return tuple(self._kept(one, away) for one in self.receipts())

    def state(self, receipt: Receipt) -> Kept:
        return self._kept(receipt, self.away())

    def _kept(self, receipt: Receipt, away: str) -> Kept:
        found = away or whole(self.cache, receipt)
        if not found and self.path(receipt).with_name(DAMAGED).exists():
            return Kept(receipt, f"its files are damaged; `thorp models repair {receipt.model_id}` mends them", True)
        return Kept(receipt, found)

    def rescan(self) -> Scan:
        """Make the index anew from the receipts."""
        found: list[Scan] = []

        def read() -> tuple[Iterator[tuple[str, bytes]], tuple[str, ...]]:
            found.append(scan(self.layout))
            return ((one.key, receipt_text(one)) for one in found[-1].receipts), found[-1].unreadable

        self._index.replace(read)
        return found[-1] if found else scan(self.layout)

    def unreadable(self) -> tuple[str, ...]:
        """What could not be read as a receipt when somebody looked last: a rescan, or a node at its start."""
        return self._index.unreadable()

    def note_damage(self, receipt: Receipt, *, damaged: bool) -> None:
        """Remember what somebody who read every byte found, until somebody finds otherwise."""
        note = self.path(receipt).with_name(DAMAGED)
        with explaining("write", note):
            if damaged:
                note.touch(0o600)
            else:
                note.unlink(missing_ok=True)

    def path(self, receipt: Receipt) -> Path:
        return self.layout.receipt(receipt.repo, receipt.revision, receipt.artifact)

    def pieces(self, receipt: Receipt, sha256: str) -> bytes | None:
        """The SHA-1 of each piece of a file, where they were kept."""
        try:
            return self.layout.pieces(self.path(receipt), digest_of(sha256)).read_bytes()
        except OSError:
            return None

    def put(self, receipt: Receipt, pieces: Mapping[str, bytes] | None = None) -> None:
        """Write a receipt, on disk when this returns; `pieces` by SHA-256 of the file."""
        path = self.path(receipt)
        with explaining("write", path):
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            if not path.exists():  # a removal ended in the middle: what was published then is published no more
                path.with_name(PUBLICATION).unlink(missing_ok=True)
        for digest, hashes in (pieces or {}).items():
            write_atomically(DISK, self.layout.pieces(path, digest_of(digest)), hashes)
        write_receipt(path, receipt)
        self._index.put(receipt.key, receipt_text(receipt))

    def drop(self, receipt: Receipt) -> None:
        path = self.path(receipt)
        with explaining("remove", path):
            path.unlink(missing_ok=True)
            beside = (path.parent / name for name in ("lock", DAMAGED, UNSHARED, PUBLICATION))
            for rest in (*path.parent.glob("*.pieces"), *beside):
                rest.unlink(missing_ok=True)
            for folder in path.parents[:DEPTH]:
                with suppress(OSError):  # something else lies there
                    folder.rmdir()
        self._index.drop(receipt.key)

    def matching(self, ref: Ref) -> tuple[Receipt, ...]:
        """Every model that a ref may mean. An alias is a name of its own and wins."""
        every = self.receipts()
        if isinstance(ref, Query | IdRef):
            word = (ref.text if isinstance(ref, Query) else str(ref.model_id)).casefold()
            if named := tuple(one for one in every if word in (alias.casefold() for alias in one.aliases)):
                return named
        return tuple(one for one in every if means(ref, one))

    def called(self, ref: Ref, quant: str | None) -> tuple[Receipt, ...]:
        """What a pull of this ref may find here. A query is a question to the hub, unless the owner gave that name."""
        found = of_quant(self.matching(ref), quant)
        if isinstance(ref, Query):
            return tuple(one for one in found if ref.text.casefold() in map(str.casefold, one.aliases))
        return found

    def one(self, text: str) -> Receipt:
        """The model that a ref means, or an error that lists what it could mean."""
        found = self.matching(parse_ref(text))
        if len(found) == 1:
            return found[0]
        if found:
            raise ambiguous(text, found)
        known = [name for one in self.receipts() for name in (one.model_id, one.repo, *one.aliases)]
        raise NoSuchModelError(
            f"This node has no model `{text[:120]}`.{did_you_mean(text, known)} `thorp models` lists them all.",
            ref=text[:120],
        )


def exact_ref(receipt: Receipt) -> str:
    """A ref that means this artifact and no other."""
    path = receipt.files[0].path
    if receipt.artifact == "_":
        return f"{receipt.repo}@{receipt.revision}"
    return f"{receipt.repo}@{receipt.revision}:{receipt.quant}" if receipt.quant else f"{receipt.repo}/{path}"


def page_ref(receipt: Receipt) -> str:
    """The same where a repository has several models of one quantisation: the address of its first file."""
    return text_of(RepoRef(receipt.repo, revision=receipt.revision, path=receipt.files[0].path))


def ambiguous(text: str, found: Iterable[Receipt]) -> AmbiguousError:
    every = tuple(found)
    short = Counter(exact_ref(one) for one in every)
    choices = [
        {
            "ref": exact_ref(one) if short[exact_ref(one)] == 1 else page_ref(one),
            "model_id": one.model_id,
            "quant": one.quant,
            "size_bytes": one.size_bytes,
            "files": len(one.files),
        }
        for one in every
    ]
    return AmbiguousError(f"`{text[:120]}` means {len(choices)} models. Name one of them.", choices=choices)


def means(ref: Ref, receipt: Receipt) -> bool:
    """Whether a ref may mean this model."""
    match ref:
        case IdRef():
            return str(ref.model_id) == receipt.model_id
        case Query():
            return begins(receipt.model_id, ref.text.strip().casefold())
        case RepoRef():
            return (
                ref.repo.casefold() == receipt.repo.casefold()
                and (ref.revision is None or ref.revision in (receipt.revision, receipt.version))
                and (ref.quant is None or same_quant(ref.quant, receipt.quant))
                and (ref.path is None or ref.path in {one.path for one in receipt.files})
            )


def begins(model_id: str, start: str) -> bool:
    """Whether an id begins with these parts, as `mistral` or `mistral:7b` do."""
    parts, wanted = model_id.split(":"), start.split(":")
    return parts[: len(wanted)] == wanted


def same_quant(one: str, other: str | None) -> bool:
    return other is not None and one.casefold().replace("-", "_") == other.casefold().replace("-", "_")


def of_quant(receipts: Iterable[Receipt], quant: str | None) -> tuple[Receipt, ...]:
    return tuple(one for one in receipts if quant is None or same_quant(quant, one.quant))


def scan(layout: Layout) -> Scan:
    """Every receipt on disk, and what cannot be read as one."""
    found: list[Receipt] = []
    unreadable: list[str] = []
    for path in _receipt_files(layout.receipts):
        try:
            receipt = read_receipt(path)
            if layout.receipt(receipt.repo, receipt.revision, receipt.artifact) != path:
                unreadable.append(f"`{path}` belongs elsewhere: it is the receipt of {receipt.key}")
                continue
            found.append(receipt)
        except ThorpError as error:
            unreadable.append(error.message)
    return Scan(_sorted(found), tuple(unreadable))


def _receipt_files(top: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(top):
        folders.sort()
        if RECEIPT in names:
            yield Path(where, RECEIPT)


def _sorted(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    return tuple(sorted(receipts, key=lambda one: (one.model_id, one.repo, one.downloaded_at)))
