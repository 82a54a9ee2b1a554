"""What to make of the address of a git repository, of its listing, and of the small files in it. Pure.

The address becomes words of a command line, and the listing becomes paths, so both are read narrowly: what is not
plainly one of the few known forms is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from thorp.base.errors import IntegrityError, UsageError
from thorp.base.printable import printable
from thorp.models.refs import BadRefError, check_path, check_repo
from thorp.models.selection import MOST_FILES, survey
from thorp.models.types import RemoteFile, RemoteRepo

Protocol: TypeAlias = Literal["https", "ssh", "file"]
LONGEST_ADDRESS: Final = 2048
SMALLEST_PATH: Final = 2  # `owner/name`
LARGEST_POINTER: Final = 1024  # as Git LFS has it
LARGEST_CARD: Final = 1024 * 1024
LINK: Final = "120000"
FILES: Final = ("100644", "100755", "100664")
CARDS: Final = ("README.md", "readme.md", "Readme.md")

_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(?::[0-9]{1,5})?"
_PATH = r"/(?P<path>[A-Za-z0-9._~+][A-Za-z0-9._~+-]*(?:/[A-Za-z0-9._~+][A-Za-z0-9._~+-]*)*)/?"
_USER = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}@)?"
_HTTPS = re.compile(rf"https://{_HOST}{_PATH}")
_SSH = re.compile(rf"ssh://{_USER}{_HOST}{_PATH}")
_SHORT = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@(?P<where>[A-Za-z0-9][A-Za-z0-9.-]{0,252}):(?P<rest>[A-Za-z0-9._~+][A-Za-z0-9._~+/-]*)"
)
_FILE = re.compile(r"file://(?P<path>/[^%\x00-\x1f\x7f]+)")
_LOOKS_LIKE_GIT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)|[^/\s:@]+@[^/\s:@]+:")
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,15})\n"
)
_POINTS = re.compile(rb"version https?://[a-z-]+\.github\.com/spec/")
_ROW = re.compile(
    r"(?P<mode>[0-7]{6}) (?P<kind>blob|commit|tree) (?P<oid>[0-9a-f]{40}) +(?P<size>[0-9]+|-)\t(?P<path>.+)", re.DOTALL
)


class BadAddressError(UsageError):
    """What was given as a git repository is no address that Thorp clones from."""

    code = "models.bad_git_address"


class BadRepositoryError(IntegrityError):
    """A repository that holds what no repository of a model has to hold."""

    code = "models.bad_git_repository"


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    protocol: Protocol
    name: str | None  # `org/model`, where its path ends like one

    @property
    def lfs(self) -> str:
        """Where Git LFS asks for large files, whatever the repository itself says about that."""
        if self.protocol != "https":
            return self.url
        return f"{self.url if self.url.endswith('.git') else self.url + '.git'}/info/lfs"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a listing."""

    path: str
    oid: str  # git's SHA-1
    size: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands for a file that Git LFS keeps."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files that models are made of, and why others were left out."""

    files: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]


def looks_like_git(text: str) -> bool:
    """Whether a person who types this means a repository to clone, well-formed or not."""
    return _LOOKS_LIKE_GIT.match(text) is not None


def read_address(text: str, *, files: bool) -> Address:
    """An address to clone from. `files`: a repository on this machine may be meant."""
    short = _SHORT.fullmatch(text)
    url = f"ssh://{short['user']}@{short['where']}/{short['rest']}" if short else text
    forms: tuple[tuple[Protocol, re.Pattern[str]], ...] = (("https", _HTTPS), ("ssh", _SSH), ("file", _FILE))
    for protocol, form in forms:
        if len(url) <= LONGEST_ADDRESS and (found := form.fullmatch(url)):
            if protocol == "file" and not files:
                break
            # `user@host:path` begins in the person's own folder there, `ssh://user@host/path` does not
            return Address(text.rstrip("/"), protocol, _name_of(found["path"]))
    known = "`https://host/path`, `ssh://user@host/path` or `user@host:path`" + (
        ", or `file:///path`" if files else "; a repository on this machine is shared from its command line only"
    )
    raise BadAddressError(
        f"`{printable(text[:120])}` is no address to clone from. Thorp takes {known}, without passwords, options "
        "or percent signs in it."
    )


def _name_of(path: str) -> str | None:
    parts = path.strip("/").split("/")
    if len(parts) < SMALLEST_PATH:
        return None
    try:
        return check_repo(f"{parts[-2]}/{parts[-1].removesuffix('.git')}")
    except BadRefError:
        return None


def read_listing(listing: bytes) -> tuple[Entry, ...]:
    """The files of a commit. Submodules are passed over; a link, or a name that is no text, refuses the whole."""
    rows = listing.split(b"\0")[:-1]
    if len(rows) > MOST_FILES:
        raise BadRepositoryError(f"The repository has {len(rows)} files; no model has more than {MOST_FILES}.")
    found: list[Entry] = []
    for row in rows:
        one = _ROW.fullmatch(row.decode(errors="surrogateescape"))
        if one is None:
            raise BadRepositoryError("The listing of the repository cannot be read. Nothing of it was taken.")
        if one["mode"] == LINK:
            raise BadRepositoryError(
                f"The repository has a symbolic link, `{_shown(one['path'])}`. Links may lead anywhere, so nothing of "
                "it was taken. Put the file itself there, or share a folder without links."
            )
        if one["kind"] == "blob" and one["mode"] in FILES:
            found.append(Entry(one["path"], one["oid"], int(one["size"])))
    return tuple(found)


def read_pointer(content: bytes, path: str) -> Pointer | None:
    """What a small file points to; None: it is a file like any other."""
    if found := _POINTER.fullmatch(content):
        return Pointer(found["oid"].decode(), int(found["size"]))
    if _POINTS.match(content):
        raise BadRepositoryError(f"`{_shown(path)}` is a Git LFS pointer of a kind that Thorp does not read.")
    return None


def may_point(entry: Entry) -> bool:
    return entry.size < LARGEST_POINTER


def choose_files(name: str, commit: str, entries: Sequence[Entry], pointers: Mapping[str, Pointer]) -> Chosen:
    """Of everything in a repository, what models are made of."""
    offered = survey(RemoteRepo(name, commit, tuple(_as_remote(one, pointers.get(one.path)) for one in entries)))
    wanted = {file.path for candidate in offered.candidates for file in candidate.every_file}
    chosen = tuple(replace(one, path=check_path(one.path)) for one in entries if one.path in wanted)
    return Chosen(chosen, tuple((one.name, one.reason) for one in offered.left_out))


def _as_remote(entry: Entry, pointer: Pointer | None) -> RemoteFile:
    if pointer is None:
        return RemoteFile(entry.path, entry.size, entry.oid)
    return RemoteFile(entry.path, pointer.size, pointer.sha256, pointer.sha256)


def _shown(path: str) -> str:
    return printable(path[:120])
