"""Refs: what a person types to mean a model. Read here, resolved elsewhere.

A ref is text from outside. Whatever two parsers could read differently is refused: addresses of other hosts, accounts
or ports in them, backslashes, control characters, names that the hub does not allow, paths that leave their folder.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

from thorp.base.errors import UsageError
from thorp.base.printable import printable
from thorp.models.ids import ModelId, parse_model_id

LONGEST_REF: Final = 512
LONGEST_REVISION: Final = 200
LONGEST_PATH: Final = 512
LONGEST_SEGMENT: Final = 255  # bytes, as file systems count
LONGEST_SHOWN: Final = 80
COLONS_OF_ID: Final = 3
PAGE: Final = "https://huggingface.co"

_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_NO_OWNERS = frozenset((*_HOSTS, "datasets", "spaces", "api", "collections", "papers", "docs", "blog"))
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
_SECURE = re.compile(r"https://", re.IGNORECASE)
_LOCAL = re.compile(r"(?:~|\.{0,2})(?:/|$)")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_REVISION = re.compile(r"[A-Za-z0-9._/+-]+")
_QUANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_REPO = re.compile(r"(?P<repo>[^/:@]*/[^/:@]*)(?:/(?P<path>[^:]+))?(?P<tail>(?:[:@].*)?)")
_TAIL = re.compile(r"(?:@(?P<early>[^:@]+))?(?::(?P<quant>[^:@]+))?(?:@(?P<late>[^:@]+))?")
_FILE_AT = re.compile(r"(?P<path>[^@]+\.(?:gguf|safetensors))@(?P<revision>[^@]+)", re.IGNORECASE)
_MODEL_FILE = re.compile(r".+\.(?:gguf|safetensors)", re.IGNORECASE)
_NOT_IN_PATHS = re.compile(r'[\\:<>"|?*]')  # Windows gives them a meaning of their own
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadRefError(UsageError):
    """A ref that cannot be read, or that names what no hub has."""

    code = "models.bad_ref"


@dataclass(frozen=True, slots=True)
class Query:
    """Words to search for; also an alias, which only the library knows."""

    text: str


@dataclass(frozen=True, slots=True)
class RepoRef:
    """A repository, and what of it."""

    repo: str
    quant: str | None = None  # as typed
    revision: str | None = None  # a branch, a tag or a commit
    path: str | None = None  # a file, or a folder if it came as the address of one; never together with a quant


@dataclass(frozen=True, slots=True)
class IdRef:
    """A canonical id."""

    model_id: ModelId


Ref: TypeAlias = Query | RepoRef | IdRef


def parse_ref(text: str) -> Ref:
    """What a person typed, taken apart; fails with a BadRefError."""
    text = text.strip(" \t\r\n")
    if not text or len(text) > LONGEST_REF or "\\" in text or not _harmless(text):
        raise BadRefError(f"{_shown(text)} names no model. Give words to search for, `owner/name`, or a model id.")
    if _SCHEME.match(text):
        return _parse_address(text)
    if _authority(text) in _HOSTS:
        return _parse_page(text)
    if _LOCAL.match(text):
        raise BadRefError(f"{_shown(text)} is a place on this machine. `thorp models import` takes files from there.")
    return _parse_repo(text) if "/" in text else _parse_words(text)


def text_of(ref: Ref) -> str:
    """What can be typed to get this ref again."""
    if isinstance(ref, Query):
        return ref.text
    if isinstance(ref, IdRef):
        return str(ref.model_id)
    if ref.path is None:
        revision = f"@{ref.revision}" if ref.revision else ""
        return f"{ref.repo}{revision}" + (f":{ref.quant}" if ref.quant else "")
    if ref.revision is None:
        return f"{ref.repo}/{ref.path}"
    page = "resolve" if _MODEL_FILE.fullmatch(ref.path) else "tree"
    inside = ref.path.replace("%", "%25").replace("#", "%23")
    return f"{PAGE}/{ref.repo}/{page}/{ref.revision.replace('/', '%2F')}/{inside}"


def check_repo(name: str) -> str:
    """The name of a repository as the hub allows it, `owner/name`."""
    owner, _, rest = name.partition("/")
    if not (_allowed(owner) and _allowed(rest)) or owner.lower() in _NO_OWNERS or rest.lower().endswith(".git"):
        raise BadRefError(
            f"{_shown(name)} is no name of a repository. One looks like `owner/name`; in both parts letters, digits, "
            "`.`, `_` and `-` may stand, at most 96."
        )
    return name


def check_revision(text: str) -> str:
    """A branch, a tag or a commit."""
    fine = len(text) <= LONGEST_REVISION and _REVISION.fullmatch(text) and ".." not in text
    if not fine or any(not part or part[0] in ".-" or part.endswith((".", ".lock")) for part in text.split("/")):
        raise BadRefError(f"{_shown(text)} is no revision. Give a branch, a tag or a commit of 40 hex digits.")
    return text


def check_path(text: str) -> str:
    """The path of a file inside its repository, safe to join to a folder on any system."""
    fine = len(text) <= LONGEST_PATH and _harmless(text) and unicodedata.is_normalized("NFC", text)
    if not fine or _NOT_IN_PATHS.search(text) or any(_unsafe(part) for part in text.split("/")):
        raise BadRefError(f"{_shown(text)} is no path of a file in a repository that every system could keep.")
    return text


def _unsafe(part: str) -> bool:
    """Whether a name would mean something else than a file of that name, somewhere. `.` and `..` end in a dot."""
    return (
        not part
        or part[-1] in ". "
        or _RESERVED.fullmatch(part) is not None
        or len(part.encode(errors="replace")) > LONGEST_SEGMENT
    )


def _parse_words(text: str) -> Query | IdRef:
    if text.count(":") != COLONS_OF_ID:
        return Query(text)
    model_id = parse_model_id(text.lower())
    if model_id is None:
        raise BadRefError(f"{_shown(text)} is no model id. One looks like `mistral:7b:instruct:q4_k_m`.")
    return IdRef(model_id)


def _parse_address(text: str) -> RepoRef:
    """`https://huggingface.co/…`; any other address is refused before somebody else could read it differently."""
    secure = _SECURE.match(text)
    rest = text[secure.end() :] if secure else ""
    if _authority(rest).removesuffix(":443") not in _HOSTS:
        raise BadRefError(f"{_shown(text)} is no address of the hub. Models come from `{PAGE}/owner/name` only.")
    return _parse_page(rest)


def _parse_page(text: str) -> RepoRef:
    """What follows the scheme of an address of the hub. What is asked of a page (`?download=true`) does not matter."""
    _, *parts = re.split(r"[?#]", text, maxsplit=1)[0].removesuffix("/").split("/")
    match parts:
        case [owner, name, "tree", revision]:
            return RepoRef(check_repo(f"{owner}/{name}"), revision=check_revision(_decoded(revision)))
        case [owner, name, "tree", revision, *path]:
            return _inside(f"{owner}/{name}", revision, path)
        case [owner, name, "resolve" | "blob" | "raw", revision, *path] if _MODEL_FILE.fullmatch("/".join(path)):
            return _inside(f"{owner}/{name}", revision, path)
        case [owner, name, *path]:  # a name has nothing to encode: a percent sign in it is refused like any other
            return _parse_repo("/".join((owner, name, *(_decoded_part(part, "/@") for part in path))))
        case _:
            return _parse_repo(text)


def _inside(repo: str, revision: str, path: list[str]) -> RepoRef:
    inside = check_path("/".join(_decoded_part(part) for part in path))
    return RepoRef(check_repo(repo), revision=check_revision(_decoded(revision)), path=inside)


def _parse_repo(text: str) -> RepoRef:
    found = _REPO.fullmatch(text.removesuffix("/"))
    tail = _TAIL.fullmatch(found["tail"]) if found else None
    if not found or not tail or (tail["early"] and tail["late"]):
        raise BadRefError(f"{_shown(text)} names no model. A repository is written `owner/name@revision:quant`.")
    repo, path, quant, revision = check_repo(found["repo"]), found["path"], tail["quant"], tail["early"] or tail["late"]
    if path and not _MODEL_FILE.fullmatch(path) and (split := _FILE_AT.fullmatch(path)):
        path, revision = split["path"], split["revision"]
    if path and (quant or not _MODEL_FILE.fullmatch(path)):
        raise BadRefError(
            f"{_shown(text)} names no model file. One is written `owner/name/file.gguf`, without a quant."
        )
    if quant and not _QUANT.fullmatch(quant):
        raise BadRefError(f"{_shown(quant)} is no quantisation. One looks like `Q4_K_M`.")
    return RepoRef(repo, quant, check_revision(revision) if revision else None, check_path(path) if path else None)


def _authority(text: str) -> str:
    return re.split(r"[/?#]", text, maxsplit=1)[0].lower()


def _allowed(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and "--" not in name and ".." not in name


def _harmless(text: str) -> bool:
    """No character that controls, hides, breaks a line or stands for nothing."""
    return all(unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029" for one in text)


def _decoded(text: str) -> str:
    """A part of an address with its percent signs resolved, once."""
    if _BAD_PERCENT.search(text):
        raise BadRefError(f"{_shown(text)} has a percent sign that encodes nothing.")
    raw = _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError as bad:
        raise BadRefError(f"{_shown(text)} does not encode text.") from bad


def _decoded_part(text: str, separators: str = "/") -> str:
    """The same, where a separator that was hidden would make two parts out of one."""
    part = _decoded(text)
    if part != text and (_NOT_IN_PATHS.search(part) or any(part.count(one) > text.count(one) for one in separators)):
        raise BadRefError(f"{_shown(text)} hides a character that separates.")
    return part


def _shown(text: str) -> str:
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return f"`{printable(' '.join(cut.split()))}`"
