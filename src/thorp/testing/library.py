"""A library with artifacts in it that look as if they had been pulled, in a folder of a test."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from thorp.base.moments import rfc3339
from thorp.models.cache import Cache
from thorp.models.layout import OWN, Layout, digest_of
from thorp.models.library import Library
from thorp.models.links import DISK_LINKS, Links
from thorp.models.receipts import Origin, Receipt, ReceiptFile
from thorp.models.stores import Stores
from thorp.models.types import Format, SourceKind
from thorp.store.library_index import LibraryIndex
from thorp.swarm.recipes import PIECE
from thorp.testing.clock import FakeRandomness

A_MOMENT: Final = 1_700_000_000.0
A_REVISION: Final = "a" * 40
LARGE: Final = (".gguf", ".safetensors")  # what a hub keeps by LFS; the rest is named as git does


@dataclass(frozen=True, slots=True)
class SomeLinks:
    """A file system that knows only some kinds of links, as FAT knows none."""

    symlinks: bool = False
    hard_links: bool = False
    clones: bool = False

    def symlink(self, target: str, link: Path) -> bool:
        return self.symlinks and DISK_LINKS.symlink(target, link)

    def hard_link(self, old: Path, new: Path) -> bool:
        return self.hard_links and DISK_LINKS.hard_link(old, new)

    def clone(self, old: Path, new: Path) -> bool:
        return self.clones and DISK_LINKS.clone(old, new)


NO_SYMLINKS: Final = SomeLinks(hard_links=True)
NO_LINKS: Final = SomeLinks()


def a_layout(top: Path) -> Layout:
    data = top / "data"
    return Layout(top / "hub", data / "receipts", data / "torrents", data / "transfers", data / "stores.json")


def a_library(tmp_path: Path, links: Links = DISK_LINKS, seed: int = 0) -> Library:
    """The library of a home in this folder; again the same one when there is one."""
    layout = a_layout(tmp_path)
    layout.stores.parent.mkdir(parents=True, exist_ok=True)
    stores = Stores(layout.stores)
    if not stores.away(layout.hub):
        stores.open(layout.hub, FakeRandomness(seed))
    return Library(layout, Cache(layout, links), LibraryIndex(layout.stores.with_name("library.db")), stores)


def an_artifact(
    library: Library,
    repo: str = "org/repo",
    files: Mapping[str, bytes] | None = None,
    revision: str = A_REVISION,
    *,
    torrents: bool = False,
    **more: Any,
) -> Receipt:
    """Blobs, names, hashes of pieces and a receipt, as a pull leaves them. `more` are fields of the receipt."""
    given = {"Model-7B-Q4_K_M.gguf": b"weights" * 1000} if files is None else files
    listed = tuple(_file(path, data, torrents=torrents) for path, data in given.items())
    for path, data in given.items():
        digest = digest_of(blob_name(path, data))
        if not library.cache.has_blob(repo, digest, len(data)):
            put_blob(library, repo, digest, data)
        library.cache.enter(repo, revision, path, digest)
    version = more.get("version", "main")
    library.cache.point(repo, version, revision)
    for file in listed:
        if file.infohash:
            library.layout.torrents.mkdir(parents=True, exist_ok=True)
            library.layout.torrent(digest_of(file.infohash)).write_bytes(b"de")
    artifact = next(iter(given)).rpartition("/")[2].rpartition(".")[0] or "_"
    receipt = replace(_receipt(repo, revision, artifact, listed, rfc3339(A_MOMENT)), **more)
    library.put(receipt, {file.sha256: piece_hashes(given[file.path]) for file in listed})
    return receipt


def put_blob(library: Library, repo: str, digest: bytes, data: bytes) -> Path:
    draft = library.layout.repo(repo) / OWN / "partial" / digest.hex() / "data"
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(data)
    blob = library.cache.keep(repo, digest, draft)
    for folder in draft.parents[:3]:
        if not any(folder.iterdir()):
            folder.rmdir()
    return blob


def blob_name(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if path.endswith(LARGE) else git_name(data)


def git_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def piece_hashes(data: bytes) -> bytes:
    pieces = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    return b"".join(hashlib.sha1(one, usedforsecurity=False).digest() for one in pieces)


def _file(path: str, data: bytes, *, torrents: bool) -> ReceiptFile:
    infohash = hashlib.sha1(path.encode() + data, usedforsecurity=False).hexdigest() if torrents else None
    return ReceiptFile(path, len(data), hashlib.sha256(data).hexdigest(), infohash)


def _receipt(repo: str, revision: str, artifact: str, files: tuple[ReceiptFile, ...], moment: str) -> Receipt:
    return Receipt(
        model_id="model:7b:base:q4_k_m",
        repo=repo,
        revision=revision,
        format=Format.GGUF,
        files=files,
        source=Origin(SourceKind.HUB, "hub.example"),
        downloaded_at=moment,
        verified_at=moment,
        artifact=artifact,
        quant="q4_k_m",
    )
