"""What `huggingface_hub` hands over, made into our types. Trusts no field: a hub may say anything."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, cast

from thorp.base.moments import rfc3339
from thorp.models.sources.hub_errors import BadHubAnswerError
from thorp.models.types import Hit, RemoteFile, RemoteRepo

MOST_FILES: Final = 20_000
MOST_TAGS: Final = 500
LONGEST_WORD: Final = 1024
_REPO: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_HASHES: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LICENSE: Final = "license:"
_BASE_MODEL: Final = "base_model:"


def is_repo_name(text: str) -> bool:
    return _REPO.fullmatch(text) is not None and ".." not in text


def hit_of(info: Any) -> Hit | None:
    """One line of a search; None when it names no repository."""
    name = _word(info.id)
    if name is None or not is_repo_name(name):
        return None
    tags = _words(info.tags)
    updated = cast("object", info.last_modified)
    return Hit(
        repo=name,
        downloads=_count(info.downloads) or 0,
        likes=_count(info.likes) or 0,
        gated=bool(info.gated),
        license=_license(info, tags),
        updated=rfc3339(updated.timestamp()) if isinstance(updated, datetime) else None,
        tags=tags,
        parameters=_parameters(info),
    )


def files_are_told(info: Any) -> bool:
    """Whether the facts about a repository say enough about each of its files."""
    siblings = cast("object", info.siblings)
    if not isinstance(siblings, list):
        return False
    files = cast("list[Any]", siblings)
    return all(one.size is not None and (one.blob_id or one.lfs) for one in files)


def siblings_of(info: Any) -> Iterator[RemoteFile]:
    return (_file(one.rfilename, one) for one in info.siblings)


def tree_files(entries: Iterable[Any]) -> Iterator[RemoteFile]:
    """The files of a tree; its folders have no size."""
    return (_file(one.path, one) for one in entries if hasattr(one, "size"))


def repo_of(info: Any, files: Iterator[RemoteFile]) -> RemoteRepo:
    """Raises BadHubAnswerError where a field that bytes depend on is not what it must be."""
    name, revision = _word(info.id), _word(info.sha)
    if name is None or not is_repo_name(name) or revision is None or not _REVISION.fullmatch(revision):
        raise BadHubAnswerError("The hub described a repository without a proper name or revision.")
    tags = _words(info.tags)
    return RemoteRepo(
        repo=name,
        revision=revision,
        files=_bounded(name, files),
        license=_license(info, tags),
        gated=bool(info.gated),
        downloads=_count(info.downloads) or 0,
        parameters=_parameters(info),
        tags=tags,
        base_model=_base_model(info, tags),
        file_type=_file_type(info),
    )


def _bounded(name: str, files: Iterator[RemoteFile]) -> tuple[RemoteFile, ...]:
    found = tuple(islice(files, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise BadHubAnswerError(f"`{name}` lists more than {MOST_FILES} files; that is no model this node takes.")
    if len({one.path for one in found}) < len(found):
        raise BadHubAnswerError(f"`{name}` lists a file twice.")
    return found


def _file(path: object, said: Any) -> RemoteFile:
    name, size = _word(path), _count(said.size)
    blob, sha256 = _word(said.blob_id), None
    if said.lfs is not None:
        sha256 = _word(said.lfs.sha256)
        blob, size = sha256, _count(said.lfs.size)
    if name is None or not name or size is None or blob is None or not _HASHES.fullmatch(blob):
        raise BadHubAnswerError("The hub listed a file without a proper name, size or hash.")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise BadHubAnswerError(f"The hub listed `{name}` with a hash that is no SHA-256.")
    return RemoteFile(name, size, blob, sha256)


def _license(info: Any, tags: tuple[str, ...]) -> str | None:
    said = _first(getattr(info.card_data, "license", None))
    return said or next((tag.removeprefix(_LICENSE) for tag in tags if tag.startswith(_LICENSE)), None)


def _base_model(info: Any, tags: tuple[str, ...]) -> str | None:
    said = _first(getattr(info.card_data, "base_model", None))
    tagged = (tag.rpartition(":")[2] for tag in tags if tag.startswith(_BASE_MODEL))
    return next((one for one in (said, *tagged) if one and is_repo_name(one)), None)


def _parameters(info: Any) -> int | None:
    gguf, safetensors = cast("object", info.gguf), cast("object", info.safetensors)
    said = cast("dict[str, object]", gguf).get("total") if isinstance(gguf, dict) else None
    return _count(said) or _count(getattr(safetensors, "total", None)) or None


def _file_type(info: Any) -> str | None:
    said = cast("object", getattr(info.safetensors, "parameters", None))
    given = cast("dict[object, object]", said) if isinstance(said, dict) else {}
    counted = {word: _count(count) or 0 for name, count in given.items() if (word := _word(name)) is not None}
    return max(counted, key=counted.__getitem__).lower() if counted else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def _word(value: object) -> str | None:
    """Text that people can be shown."""
    return value if isinstance(value, str) and len(value) <= LONGEST_WORD and value.isprintable() else None


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    words = (_word(one) for one in cast("list[object]", value)[:MOST_TAGS])
    return tuple(one for one in words if one)


def _first(value: object) -> str | None:
    return _word(value) or next(iter(_words(value)), None)
