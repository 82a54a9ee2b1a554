"""Brings the files of a git repository into a folder of ours, without letting the repository have a say.

Nothing is ever checked out: the repository is cloned bare, its commit is listed, and each wanted file is written by us
under a name that was looked at. So no hook, filter, attribute, submodule or link of it takes effect. Large files come
through git-lfs, which sees a commit of ours with nothing in it but the pointers that are wanted.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from thorp.base.errors import IntegrityError
from thorp.base.files import explaining
from thorp.base.printable import printable
from thorp.models.adopt_files import Progress
from thorp.models.git_plan import (
    CARDS,
    LARGEST_CARD,
    BadRepositoryError,
    Entry,
    Pointer,
    choose_files,
    may_point,
    read_listing,
    read_pointer,
)
from thorp.models.git_run import Errand, GitFailedError, GitRun
from thorp.models.hashing import hash_file
from thorp.models.model_card import Card, read_card
from thorp.models.room import check_room

SLACK: Final = 64 * 1024 * 1024
MOST_SMALL: Final = 2000  # files that could point to large ones


class WrongLargeFileError(IntegrityError):
    """Git LFS brought other bytes than the repository names."""

    code = "models.git_wrong_bytes"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a stranger's repository is taken."""

    git: int = 8 * 1024**3  # bytes that git itself may bring, and that may come out of it
    lfs: int = 2 * 1024**4
    seconds: float = 12 * 3600.0


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Wanted:
    branch: str | None = None  # checked by `refs.check_revision`
    depth: int = 1  # 0: all of it
    skip_lfs: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    folder: Path  # holds the files that models are made of, and nothing else
    commit: str
    card: Card
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GitFetch:
    """Clones into the scratch folder of `run`, which is empty, and which the caller removes again."""

    run: GitRun
    progress: Progress
    bounds: Bounds = BOUNDS

    @property
    def folder(self) -> Path:
        return self.run.scratch / "files"

    def fetch(self, wanted: Wanted) -> Fetched:
        with explaining("make", self.folder):
            self.folder.mkdir(0o700)
        self.progress(self.run.name, 0, 0)
        self._clone(wanted)
        commit = self.run.answer("rev-parse", "--verify", "HEAD^{commit}").decode("ascii", "replace").strip()
        entries = read_listing(self.run.answer("ls-tree", "-r", "-l", "-z", "--full-tree", "HEAD"))
        card = self._card(entries)
        pointers = self._pointers(entries)
        chosen = choose_files(self.run.name, commit, entries, pointers)
        large = [one for one in chosen.files if one.path in pointers]
        self._write_small([one for one in chosen.files if one.path not in pointers])
        skipped = [(one.path, "Git LFS keeps it, and that was to be skipped") for one in large if wanted.skip_lfs]
        if large and not wanted.skip_lfs:
            self._fetch_large(large, pointers)
        return Fetched(self.folder, commit, card, (*chosen.left_out, *skipped))

    def _clone(self, wanted: Wanted) -> None:
        words = ["clone", "--bare", "--single-branch", "--no-tags", "--template=", "--no-local", "--quiet"]
        words += [f"--depth={wanted.depth}"] if wanted.depth else []
        words += [f"--branch={wanted.branch}"] if wanted.branch else []
        words += ["--", self.run.address.url, str(self.run.bare)]
        self.run.run(Errand(tuple(words), self.bounds.git, self.bounds.seconds))

    def _write_small(self, files: Sequence[Entry]) -> None:
        if (total := sum(one.size for one in files)) > self.bounds.git:
            raise self.run.too_large(total, self.bounds.git)
        check_room(self.run.scratch, total)
        for one in files:
            at = self._place(one)
            words = self.run.inside("cat-file", "blob", one.oid)
            self.run.run(Errand(words, one.size + SLACK, self.bounds.seconds, into=at, watched=at))
            if at.lstat().st_size != one.size:
                raise BadRepositoryError(f"`{printable(one.path)}` is not as long as the repository says.")
            self.progress(one.path, one.size, one.size)

    def _place(self, entry: Entry) -> Path:
        at = self.folder.joinpath(*entry.path.split("/"))
        with explaining("make", at.parent):
            at.parent.mkdir(0o700, parents=True, exist_ok=True)
        return at

    def _pointers(self, entries: Sequence[Entry]) -> dict[str, Pointer]:
        """Which files are kept by Git LFS."""
        small = [one for one in entries if may_point(one)]
        if len(small) > MOST_SMALL:
            raise BadRepositoryError(f"{self.run.name} has {len(small)} small files beside its models. Share a folder.")
        found = {one.path: read_pointer(self.run.answer("cat-file", "blob", one.oid), one.path) for one in small}
        return {path: pointer for path, pointer in found.items() if pointer is not None}

    def _card(self, entries: Sequence[Entry]) -> Card:
        readme = next((one for one in entries if one.path in CARDS and one.size <= LARGEST_CARD), None)
        if readme is None:
            return Card()
        return read_card(self.run.answer("cat-file", "blob", readme.oid).decode(errors="replace"))

    def _fetch_large(self, large: Sequence[Entry], pointers: Mapping[str, Pointer]) -> None:
        remedy = "The repository keeps its weights in Git LFS: install git-lfs, or leave them out: `--skip-lfs`."
        self.run.program("git-lfs", remedy)
        wanted = {pointers[one.path] for one in large}
        if (total := sum(one.size for one in wanted)) > self.bounds.lfs:
            raise self.run.too_large(total, self.bounds.lfs)
        check_room(self.run.scratch, total)
        self._narrow(large)
        before = self.run.weight()

        def told(weight: int) -> None:
            self.progress(self.run.name, min(max(weight - before, 0), total), total)

        words = self.run.inside("lfs", "fetch", "origin", "HEAD")
        self.run.run(Errand(words, before + total + SLACK, self.bounds.seconds, told=told))
        for one in large:
            self._take_large(one, pointers[one.path])

    def _narrow(self, large: Sequence[Entry]) -> None:
        """Put a commit on top that holds the wanted pointers under names of ours, and nobody's settings."""
        rows = "".join(f"100644 blob {one.oid}\t{number}\n" for number, one in enumerate(large))
        listing = self.run.scratch / "wanted"
        with explaining("write", listing):
            listing.write_text(rows, "ascii")
        tree = self.run.answer("mktree", given=listing).decode("ascii").strip()
        commit = self.run.answer("commit-tree", "-m", "wanted", tree).decode("ascii").strip()
        self.run.answer("update-ref", "--no-deref", "HEAD", commit)

    def _take_large(self, entry: Entry, pointer: Pointer) -> None:
        """A large file from where git-lfs put it, after its bytes were compared with its name."""
        name = pointer.sha256
        at = self.run.bare / "lfs/objects" / name[:2] / name[2:4] / name
        try:
            handle = os.open(at, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            raise GitFailedError(
                f"Git LFS did not bring `{printable(entry.path)}` of {self.run.name}. Its server may not have it."
            ) from None
        try:
            facts = os.fstat(handle)
            told = partial(self._told, entry.path, pointer.size)
            right = stat.S_ISREG(facts.st_mode) and facts.st_size == pointer.size
            if not right or hash_file(handle, pointer.size, told=told, stop=self.run.stop).sha256 != name:
                raise WrongLargeFileError(
                    f"`{printable(entry.path)}` of {self.run.name} came with other bytes than the repository names. "
                    "Nothing of it was taken."
                )
        finally:
            os.close(handle)
        place = self._place(entry)
        with explaining("keep", place):
            os.link(at, place, follow_symlinks=False)

    def _told(self, path: str, whole: int, done: int) -> None:
        self.progress(path, done, whole)
