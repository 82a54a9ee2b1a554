"""Recognises models that lie on this machine already, by looking: a file, a folder, a Hugging Face cache.

It looks at names and sizes only, follows no link but those of a cache to its own blobs, and bounds how much it looks
at. What only seems to be a model is told with a reason.
"""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from thorp.base.errors import IntegrityError, NotFoundError, UsageError
from thorp.base.files import explaining
from thorp.formats.errors import shown
from thorp.formats.sniff import PICKLES, Kind, kind_of
from thorp.models.adopt_types import Artifact, Found, Lying, Skipped
from thorp.models.ids import shard_of
from thorp.models.layout import DIGEST, BadDigestError, Layout, digest_of, link_target, linked_digest, repo_of
from thorp.models.model_card import Card, read_card
from thorp.models.receipts import REVISION, Origin
from thorp.models.refs import BadRefError, check_repo, check_revision
from thorp.models.selection import LeftOut, survey
from thorp.models.types import Candidate, Format, RemoteFile, RemoteRepo, SourceKind

DEEPEST: Final = 8
MOST_FILES: Final = 20_000
MOST_SKIPPED: Final = 1000
LOCAL: Final = "local"
LONGEST_NAME: Final = 96
LONGEST_CARD: Final = 64 * 1024
LONGEST_REF_FILE: Final = 64
WEIGHTS: Final = (".gguf", ".safetensors")
MARKS: Final = frozenset({"config.json", "model_index.json"})
PICKLE: Final = "a pickle, which runs code when it is opened; take the same model as GGUF or safetensors"
NOT_OF_IT: Final = "another model beside those that were taken; import it by itself"
LINK: Final = "a link; only what lies there itself is taken"
FOUND_IN_CACHE: Final = Origin(SourceKind.HUB, "found in a Hugging Face cache")


class NothingToImportError(NotFoundError):
    """There is no model that Thorp could take."""

    code = "models.nothing_to_import"


class NameNeededError(UsageError):
    """Files whose names give no name for a repository."""

    code = "models.name_needed"


class TooMuchToLookAtError(UsageError):
    """A folder with more files than any folder of models has."""

    code = "models.too_much_to_look_at"


def of_file(source: Path, name: str | None) -> Found:
    """One GGUF file; a part of a set stands for all of its parts."""
    kind = kind_of(source)
    if kind is not Kind.GGUF:
        raise NothingToImportError(
            f"`{shown(source.name)}` alone is no model. Import the folder of safetensors that it lies in.",
            path=str(source),
        )
    shard = shard_of(source.name)
    near = source.parent.iterdir() if shard else (source,)
    parts = [one for one in near if one == source or _same_set(one, source)]
    files = {_gguf_name(one.name): _lying(_gguf_name(one.name), one) for one in parts}
    repo = check_repo(name) if name else _repo_of_place(source.parent, 0)
    found = _own(files, repo, source.parent, Origin(SourceKind.IMPORT, source.name))
    if not found.artifacts:
        why = "; ".join(one.reason for one in found.skipped) or "it belongs to a model and is none by itself"
        raise NothingToImportError(f"`{shown(source.name)}` cannot be imported: {why}.", path=str(source))
    return found


def of_folder(source: Path, name: str | None) -> Found:
    """Every model of a folder and of the folders below."""
    skipped: list[Skipped] = []
    files = dict(sorted(walk(source, skipped), key=lambda one: one[0]))
    skipped += [Skipped(path, PICKLE) for path in files if PurePosixPath(path).suffix.lower() in PICKLES]
    found = [Found((), tuple(skipped))]
    for root, inside in _roots(files, whole=name is not None).items():
        place = source.joinpath(*root)
        repo = check_repo(name) if name else _repo_of_place(place, len(root))
        found.append(_own(inside, repo, place, Origin(SourceKind.IMPORT, source.name)))
    return together(found)


def of_cache(hub: Path, own: Layout) -> Found:
    """Every snapshot of a Hugging Face cache."""
    with explaining("list", hub):
        folders = sorted(one for one in hub.iterdir() if one.name.startswith("models--") and one.is_dir())
    return together(of_cached_repo(one, own) for one in folders[:MOST_FILES])


def of_cached_repo(folder: Path, own: Layout) -> Found:
    """Every snapshot of one repository in a Hugging Face cache."""
    try:
        repo = check_repo(repo_of(folder.name) or "")
    except BadRefError:
        return Found((), (Skipped(folder.name, "its name is no `owner/name`"),))
    versions = _versions(folder / "refs")
    found: list[Found] = []
    for snapshot in _folders(folder / "snapshots"):
        if not DIGEST.fullmatch(snapshot.name) or len(snapshot.name) != REVISION:
            found.append(Found((), (Skipped(f"{repo}@{snapshot.name}", "its name is no commit"),)))
            continue
        mine = _is_same(folder, own.repo(repo))
        found.append(_of_snapshot(repo, snapshot, versions.get(snapshot.name, snapshot.name), own=mine))
    return together(found)


def of_snapshot_entry(source: Path, own: Layout) -> Found | None:
    """What is meant by a path into a snapshot; None when it is no such path."""
    parts = source.parts
    at = next((at for at, part in enumerate(parts) if part.startswith("models--")), None)
    if at is None or parts[at + 1 : at + 2] != ("snapshots",) or len(parts) < at + 3:
        return None
    revision, inside = parts[at + 2], "/".join(parts[at + 3 :])
    every = of_cached_repo(Path(*parts[: at + 1]), own)
    meant = tuple(
        one
        for one in every.artifacts
        if one.revision == revision
        and (not inside or any(f"{file.path}/".startswith(f"{inside}/") for file in one.files))
    )
    return Found(meant, () if meant else every.skipped)


def is_cache(source: Path) -> bool:
    return any(one.name.startswith("models--") and (one / "snapshots").is_dir() for one in _folders(source))


def is_cached_repo(source: Path) -> bool:
    return source.name.startswith("models--") and (source / "snapshots").is_dir()


def together(found: Iterable[Found]) -> Found:
    every = tuple(found)
    skipped = tuple(one for each in every for one in each.skipped)
    return Found(tuple(one for each in every for one in each.artifacts), skipped[:MOST_SKIPPED])


def walk(top: Path, skipped: list[Skipped]) -> Iterator[tuple[str, Lying]]:
    """Every file below `top` by its path. Hidden folders are passed over, links and devices are skipped."""
    waiting: list[tuple[str, int]] = [("", 0)]
    count = 0
    while waiting:
        inside, depth = waiting.pop()
        with explaining("list", top / inside), os.scandir(top / inside) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                count += 1
                if count > MOST_FILES:
                    raise TooMuchToLookAtError(
                        f"`{top}` has more than {MOST_FILES} files. Import the folders with models one by one."
                    )
                path = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_symlink():
                    if _matters(path):
                        skipped.append(Skipped(path, LINK))
                elif entry.is_dir():
                    if depth + 1 >= DEEPEST:
                        skipped.append(Skipped(path, f"it lies more than {DEEPEST} folders deep"))
                    elif not entry.name.startswith("."):
                        waiting.append((path, depth + 1))
                elif entry.is_file():
                    yield path, Lying(path, top / path, top / path, entry.stat().st_size)


def local_repo(stem: str) -> str:
    """A repository's name for what never was in one."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem)
    name = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", name))[:LONGEST_NAME].strip("-.")
    try:
        return check_repo(f"{LOCAL}/{name.removesuffix('.git')}")
    except BadRefError:
        raise NameNeededError(
            f"`{shown(stem)}` gives no name to file it under. Say one: `--name owner/name`."
        ) from None


def artifacts_of(
    repo: RemoteRepo, files: Mapping[str, Lying], like: Artifact
) -> tuple[tuple[Artifact, ...], tuple[LeftOut, ...]]:
    """What a listing offers, each as `like` with its own name and files."""
    found = survey(repo)
    return tuple(_as_artifact(one, files, like) for one in found.candidates), found.left_out


def _as_artifact(one: Candidate, files: Mapping[str, Lying], like: Artifact) -> Artifact:
    return replace(
        like,
        name=one.name,
        format=one.format,
        files=tuple(files[file.path] for file in one.every_file),
        projector=one.projector.path if one.projector else None,
    )


def _own(files: Mapping[str, Lying], repo: str | None, place: Path, origin: Origin) -> Found:
    """The models of one folder that came from anywhere."""
    listing = _listing(repo or f"{LOCAL}/unnamed", "0" * REVISION, files.values())
    like = Artifact(repo or "", None, LOCAL, "", Format.GGUF, (), None, origin)
    try:
        artifacts, left_out = artifacts_of(listing, files, like)
    except IntegrityError as error:
        return Found((), (Skipped(place.name, error.message),))
    named = tuple(
        one if repo else replace(one, repo=local_repo(place.name if one.format is Format.SAFETENSORS else one.name))
        for one in artifacts
    )
    taken = {one.path for artifact in artifacts for one in artifact.files}
    rest = [path for path in files if path not in taken and path.lower().endswith(WEIGHTS)] if artifacts else []
    skipped = [Skipped(one.name, one.reason) for one in left_out]
    told = " ".join(one.path for one in skipped)
    skipped += [Skipped(path, NOT_OF_IT) for path in rest if path.rpartition("/")[2].rpartition(".")[0] not in told]
    return Found(named, tuple(skipped))


def _of_snapshot(repo: str, snapshot: Path, version: str, *, own: bool) -> Found:
    """The models of one revision. A link that leads anywhere but to a blob of its repository is not followed."""
    skipped: list[Skipped] = []
    title = f"{repo}@{snapshot.name[:8]}"
    try:
        files = dict(_entries(snapshot, skipped, title))
        card = _card(files.get("README.md"))
        like = Artifact(
            repo, snapshot.name, version, "", Format.GGUF, (), None, FOUND_IN_CACHE, card.license, card.gated, own=own
        )
        artifacts, left_out = artifacts_of(_listing(repo, snapshot.name, files.values()), files, like)
    except (IntegrityError, UsageError) as error:
        return Found((), (*skipped, Skipped(title, error.message)))
    skipped += [Skipped(f"{title}/{one.name}", one.reason) for one in left_out]
    pickles = (path for path in files if PurePosixPath(path).suffix.lower() in PICKLES)
    skipped += [Skipped(f"{title}/{path}", PICKLE) for path in pickles if not artifacts]
    return Found(artifacts, tuple(skipped))


def _entries(snapshot: Path, skipped: list[Skipped], title: str) -> Iterator[tuple[str, Lying]]:
    blobs = snapshot.parent.parent / "blobs"
    for count, entry in enumerate(_below(snapshot)):
        if count >= MOST_FILES:
            raise TooMuchToLookAtError(f"{title} has more than {MOST_FILES} files.")
        path = entry.relative_to(snapshot).as_posix()
        if not entry.is_symlink():
            yield path, _lying(path, entry)
            continue
        target = str(entry.readlink())
        digest = linked_digest(target)
        if digest is None or target != link_target(path, digest):
            skipped.append(Skipped(f"{title}/{path}", "a link that leads out of its repository"))
        elif not _is_file(blobs / digest.hex()):
            skipped.append(Skipped(f"{title}/{path}", "what it leads to is not there, or is no file"))
        else:
            yield path, replace(_lying(path, blobs / digest.hex()), seen=entry, digest=digest.hex())


def _below(top: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(top):
        folders.sort()
        if len(Path(where).relative_to(top).parts) >= DEEPEST:
            folders.clear()
        yield from (Path(where, name) for name in sorted(names))
        yield from (linked for name in folders if (linked := Path(where, name)).is_symlink())


def _versions(refs: Path) -> dict[str, str]:
    """The branch or tag that stands for each commit; `main` before all others."""
    found: dict[str, str] = {}
    for ref in sorted(_below(refs), key=lambda one: one.relative_to(refs).as_posix() != "main"):
        with suppress(OSError, ValueError, BadDigestError, BadRefError):
            if not _is_file(ref) or ref.lstat().st_size > LONGEST_REF_FILE:
                continue
            commit = digest_of(ref.read_text("ascii").strip()).hex()
            found.setdefault(commit, check_revision(ref.relative_to(refs).as_posix()))
    return found


def _card(readme: Lying | None) -> Card:
    """What a repository says of itself, where its README lies in the cache."""
    if readme is not None:
        with suppress(OSError), readme.at.open("rb") as file:
            return read_card(file.read(LONGEST_CARD).decode(errors="replace"))
    return Card()


def _roots(files: Mapping[str, Lying], *, whole: bool) -> dict[tuple[str, ...], dict[str, Lying]]:
    """Files by the highest folder that holds a model, and named as seen from there."""
    marked = {
        PurePosixPath(path).parent.parts
        for path in files
        if path.lower().endswith(WEIGHTS) or PurePosixPath(path).name in MARKS
    }
    found: dict[tuple[str, ...], dict[str, Lying]] = defaultdict(dict)
    for path, file in files.items():
        parts = PurePosixPath(path).parts
        above = (parts[:length] for length in range(len(parts)))
        root = () if whole else next((one for one in above if one in marked), None)
        if root is not None:
            inside = "/".join(parts[len(root) :])
            found[root][inside] = replace(file, path=inside)
    return found


def _repo_of_place(place: Path, depth: int) -> str | None:
    """The `owner/name` of a folder as LM Studio and others keep them; None when it does not look like one.

    The folders above what was named are not asked: they may be called like the person.
    """
    if depth < len(("owner", "name")) and place.parent.parent.name.casefold() != "models":
        return None
    with suppress(BadRefError):
        return check_repo(f"{place.parent.name}/{place.name}")
    return None


def _listing(repo: str, revision: str, files: Iterable[Lying]) -> RemoteRepo:
    return RemoteRepo(repo, revision, tuple(RemoteFile(one.path, one.size, one.digest) for one in files))


def _lying(path: str, at: Path) -> Lying:
    with explaining("look at", at):
        found = at.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise NothingToImportError(f"`{shown(at.name)}` is no ordinary file.", path=str(at))
    return Lying(path, at, at, found.st_size)


def _same_set(one: Path, other: Path) -> bool:
    mine, theirs = shard_of(one.name), shard_of(other.name)
    return mine is not None and theirs is not None and (mine.stem, mine.count) == (theirs.stem, theirs.count)


def _gguf_name(name: str) -> str:
    return name if name.lower().endswith(".gguf") else f"{name}.gguf"


def _matters(path: str) -> bool:
    return path.lower().endswith((*WEIGHTS, *PICKLES))


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(one for one in folder.iterdir() if one.is_dir())[:MOST_FILES]
    return []


def _is_file(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False
