"""How the hub writes down repositories, files and folders as JSON. Pure."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from thorp.testing.hub.content import Content
from thorp.testing.hub.repos import Commit, Repo

T = TypeVar("T")
Json = dict[str, object]


def tags_of(repo: Repo) -> list[str]:
    about = repo.about
    found = [kind for kind in ("gguf", "safetensors") if _has(repo.head, f".{kind}")]
    if about.base_model:
        found += [f"base_model:{about.base_model}", f"base_model:quantized:{about.base_model}"]
    if about.license:
        found.append(f"license:{about.license}")
    return [*dict.fromkeys([*found, *about.tags, "region:us"])]


def _has(commit: Commit, ending: str) -> bool:
    return any(path.endswith(ending) for path in commit.files)


def card_of(repo: Repo) -> Json:
    said = {"license": repo.about.license, "base_model": repo.about.base_model}
    return {name: text for name, text in said.items() if text is not None}


def gated_of(repo: Repo) -> bool | str:
    return "manual" if repo.about.gated is True else repo.about.gated


def gguf_of(repo: Repo, commit: Commit) -> Json | None:
    about = repo.about
    if about.parameters is None or not _has(commit, ".gguf"):
        return None
    return {
        "total": about.parameters,
        "architecture": about.architecture,
        "context_length": about.context_length,
    }


def safetensors_of(repo: Repo, commit: Commit) -> Json | None:
    if repo.about.parameters is None or not _has(commit, ".safetensors"):
        return None
    return {"parameters": {"BF16": repo.about.parameters}, "total": repo.about.parameters}


def _base_models(repo: Repo) -> Json | None:
    base = repo.about.base_model
    return {"relation": "quantized", "models": [{"id": base}]} if base else None


_FACTS: Final[dict[str, Callable[[Repo, Commit], object]]] = {
    "author": lambda repo, _: repo.name.partition("/")[0],
    "baseModels": lambda repo, _: _base_models(repo),
    "cardData": lambda repo, _: card_of(repo),
    "createdAt": lambda repo, _: repo.commits[0].date,
    "disabled": lambda _, __: False,
    "downloads": lambda repo, _: repo.about.downloads,
    "downloadsAllTime": lambda repo, _: repo.about.downloads * 12,
    "gated": lambda repo, _: gated_of(repo),
    "gguf": gguf_of,
    "lastModified": lambda _, commit: commit.date,
    "library_name": lambda _, commit: "gguf" if _has(commit, ".gguf") else "transformers",
    "likes": lambda repo, _: repo.about.likes,
    "pipeline_tag": lambda _, __: "text-generation",
    "private": lambda repo, _: repo.about.private,
    "safetensors": safetensors_of,
    "sha": lambda _, commit: commit.id,
    "siblings": lambda _, commit: [{"rfilename": path} for path in sorted(commit.files)],
    "tags": lambda repo, _: tags_of(repo),
    "trendingScore": lambda repo, _: repo.about.likes,
    "usedStorage": lambda _, commit: sum(one.size for one in commit.files.values()),
}
EXPANDABLE: Final = frozenset(_FACTS)
IN_A_LIST: Final = (
    "likes",
    "private",
    "downloads",
    "tags",
    "pipeline_tag",
    "library_name",
    "createdAt",
    "trendingScore",
)
IN_A_FULL_LIST: Final = (*IN_A_LIST, "author", "sha", "lastModified", "gated", "disabled", "siblings")
OF_ONE: Final = (
    *(
        "private",
        "pipeline_tag",
        "library_name",
        "tags",
        "downloads",
        "likes",
        "author",
        "sha",
        "lastModified",
        "gated",
    ),
    *("disabled", "cardData", "siblings", "createdAt", "safetensors", "gguf", "usedStorage"),
)


def facts(repo: Repo, commit: Commit, names: Iterable[str]) -> Json:
    """Some facts about a repository; what nobody knows is left out."""
    found = {name: _FACTS[name](repo, commit) for name in names}
    return {"_id": repo.id, "id": repo.name, **{name: value for name, value in found.items() if value is not None}}


def siblings_with_blobs(commit: Commit) -> list[Json]:
    return [_sibling(path, one) for path, one in sorted(commit.files.items())]


def _sibling(path: str, one: Content) -> Json:
    plain: Json = {"rfilename": path, "blobId": one.blob, "size": one.size}
    if not one.is_large:
        return plain
    return plain | {"lfs": {"sha256": one.sha256, "size": one.size, "pointerSize": one.pointer}}


@lru_cache(maxsize=8)  # a listing is asked for page by page
def paths_below(commit: Commit, folder: str, recursive: bool) -> tuple[str, ...] | None:
    """Files and folders below a folder, by name; None where there is no such folder."""
    start = f"{folder}/" if folder else ""
    files = [path for path in commit.files if path.startswith(start)]
    if folder and not files:
        return None
    folders = {parent for path in files for parent in _parents(path) if parent.startswith(start)}
    return tuple(path for path in sorted({*files, *folders}) if recursive or "/" not in path[len(start) :])


def entry_of(commit: Commit, path: str, *, expand: bool = False) -> Json | None:
    """What a listing says of one file or folder; None where there is neither."""
    if path in commit.files:
        entry = _file_entry(path, commit.files[path])
    elif any(one.startswith(f"{path}/") for one in commit.files):
        entry = _folder_entry(commit, path)
    else:
        return None
    return entry | (_expansion(commit, entry) if expand else {})


def _parents(path: str) -> list[str]:
    pieces = path.split("/")
    return ["/".join(pieces[:count]) for count in range(1, len(pieces))]


def _file_entry(path: str, one: Content) -> Json:
    plain: Json = {"type": "file", "oid": one.blob, "size": one.size, "path": path}
    if not one.is_large:
        return plain
    return plain | {"lfs": {"oid": one.sha256, "size": one.size, "pointerSize": one.pointer}}


def _folder_entry(commit: Commit, path: str) -> Json:
    oid = hashlib.sha1(f"{commit.id} {path}".encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def _expansion(commit: Commit, entry: Json) -> Json:
    """What `expand=true` adds."""
    last: Json = {"lastCommit": {"id": commit.id, "title": commit.title, "date": commit.date}}
    scanned = {"status": "safe", "avScan": {"status": "safe"}, "pickleImportScan": None}
    return last | ({"securityFileStatus": scanned} if entry["type"] == "file" else {})


def page(items: Sequence[T], cursor: str, most: int) -> tuple[Sequence[T], str | None]:
    """One page from where the cursor points, and the next cursor."""
    start = _offset(cursor)
    end = start + max(1, most)
    following = base64.urlsafe_b64encode(f"after:{end}".encode()).decode() if end < len(items) else None
    return items[start:end], following


def _offset(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        return 0
    number = text.removeprefix("after:")
    return int(number) if number.isdecimal() else 0
