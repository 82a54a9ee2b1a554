"""The repositories of the fake hub: frozen histories that only grow, and the shelf they stand on."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypedDict, Unpack

from thorp.testing.hub.content import LFS_ABOVE, Content, content_of

_BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)  # commit follows commit, a minute apart
MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a repository beside its files."""

    license: str | None = None
    gated: bool | str = False  # "auto" and "manual" are what the hub says; True is "manual"
    private: bool = False
    downloads: int = 0
    likes: int = 0
    tags: tuple[str, ...] = ()
    parameters: int | None = None
    base_model: str | None = None
    architecture: str = "llama"
    context_length: int = 4096


class Said(TypedDict, total=False):
    """Fields of `About`, as a caller gives some of them."""

    license: str | None
    gated: bool | str
    private: bool
    downloads: int
    likes: int
    tags: tuple[str, ...]
    parameters: int | None
    base_model: str | None
    architecture: str
    context_length: int


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    id: str  # 40 hex digits
    number: int  # 0 is the first
    files: Mapping[str, Content]

    @property
    def date(self) -> str:
        return (_BEGINNING + timedelta(minutes=self.number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    @property
    def title(self) -> str:
        return f"Upload {len(self.files)} files"


@dataclass(frozen=True, slots=True)
class Repo:
    name: str
    about: About
    commits: tuple[Commit, ...]

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    @property
    def id(self) -> str:
        """The number the hub gave it: 24 hex digits."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:24]

    def at(self, revision: str) -> Commit | None:
        if revision in (MAIN, f"refs/heads/{MAIN}"):
            return self.head
        return next((one for one in self.commits if one.id == revision), None)


@dataclass(eq=False, slots=True)
class Shelf:
    """All repositories. Readers see a repository as it was at one moment."""

    repos: dict[str, Repo] = field(default_factory=dict[str, Repo])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | Path | Content | None],
        *,
        lfs_above: int = LFS_ABOVE,
        **about: Unpack[Said],
    ) -> str:
        """Put files on top of what is there, None for one that goes; answers with the commit."""
        looked = {
            path: content_of(one, lfs_above) if isinstance(one, bytes | Path) else one for path, one in files.items()
        }
        with self._lock:
            there = self.repos.get(name)
            said = replace(there.about if there else About(), **about)
            before = dict(there.head.files) if there else {}
            after = {path: one for path, one in (before | looked).items() if one is not None}
            commits: tuple[Commit, ...] = there.commits if there else ()
            if not there or after != before:
                commits = (*commits, _commit(name, commits, after))
            self.repos[name] = Repo(name, said, commits)
            return self.repos[name].head.id

    def rename(self, old: str, new: str) -> None:
        with self._lock:
            self.repos[new] = replace(self.repos.pop(old), name=new)
            self.renamed[old] = new

    def everything(self) -> tuple[Repo, ...]:
        with self._lock:
            return tuple(self.repos.values())


def _commit(name: str, before: tuple[Commit, ...], files: dict[str, Content]) -> Commit:
    parent = before[-1].id if before else name
    listed = "".join(f"{one.blob} {one.sha256} {path}\0" for path, one in sorted(files.items()))
    id_ = hashlib.sha1(f"{parent}\0{listed}".encode(), usedforsecurity=False).hexdigest()
    return Commit(id_, len(before), files)
