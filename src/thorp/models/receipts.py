"""The receipt of a complete and verified artifact: what it is, where it came from, and the hash of every file.

Receipts are the truth about the library; the index in the database only repeats them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from thorp.base.errors import ConflictError, IntegrityError
from thorp.base.files import DISK, FilePort, read_bounded, write_atomically
from thorp.base.moments import seconds_of
from thorp.models.layout import DIGEST
from thorp.models.refs import BadRefError, check_path, check_repo
from thorp.models.types import Format, SourceKind

T = TypeVar("T")
SCHEMA: Final = 1
LARGEST: Final = 16 * 1024 * 1024
SHA256: Final = 64
REVISION: Final = 40


class BadReceiptError(IntegrityError):
    """A receipt that cannot be read as one."""

    code = "models.bad_receipt"


class NewerReceiptError(ConflictError):
    """A receipt that a newer Thorp has written."""

    code = "models.newer_receipt"


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    path: str
    size: int
    sha256: str
    infohash: str | None = None  # of its household torrent


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes came from."""

    kind: SourceKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    model_id: str
    repo: str
    revision: str
    format: Format
    files: tuple[ReceiptFile, ...]
    source: Origin
    downloaded_at: str  # RFC 3339
    verified_at: str
    artifact: str  # file name without shard suffix and extension; `_` for a folder
    aliases: tuple[str, ...] = ()
    version: str = "main"  # the branch or tag that was asked for
    claimed_by: str | None = None
    license: str | None = None
    gated: bool = False
    architecture: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    quant: str | None = None
    modalities: tuple[str, ...] = ()
    projector: str | None = None  # the path of one of `files`

    @property
    def size_bytes(self) -> int:
        return sum(one.size for one in self.files)

    @property
    def key(self) -> str:
        """What tells this artifact from every other one."""
        return f"{self.repo}@{self.revision}/{self.artifact}"

    def with_aliases(self, aliases: tuple[str, ...]) -> "Receipt":
        return replace(self, aliases=tuple(sorted(set(aliases))))


NAMES: Final = frozenset(one.name for one in fields(Receipt))


def receipt_data(receipt: Receipt) -> dict[str, object]:
    """A receipt as it is written and shown."""
    return {"schema": SCHEMA, **asdict(receipt), "size_bytes": receipt.size_bytes}


def receipt_text(receipt: Receipt) -> bytes:
    return json.dumps(receipt_data(receipt), indent=2, ensure_ascii=False).encode() + b"\n"


def write_receipt(path: Path, receipt: Receipt, files: FilePort = DISK) -> None:
    write_atomically(files, path, receipt_text(receipt))


def read_receipt(path: Path, files: FilePort = DISK) -> Receipt:
    return parse_receipt(read_bounded(files, path, LARGEST), str(path))


def parse_receipt(text: bytes, where: str) -> Receipt:
    """A receipt, checked field by field: what it says becomes paths."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad(where, "it is not JSON") from None
    if not isinstance(data, dict):
        raise _bad(where, "it is no object")
    given = cast("dict[str, Any]", data)
    if (schema := given.pop("schema", None)) != SCHEMA:
        if isinstance(schema, int) and schema > SCHEMA:
            raise NewerReceiptError(
                f"`{where}` was written by a newer Thorp (schema {schema}, this one knows {SCHEMA}); it was not "
                "touched. Use the newer Thorp again.",
                path=where,
            )
        raise _bad(where, "its schema is unknown")
    given.pop("size_bytes", None)
    try:
        return _receipt({name: value for name, value in given.items() if name in NAMES})
    except (KeyError, TypeError, ValueError, AttributeError, BadRefError) as error:
        raise _bad(where, f"{error}"[:120]) from None


def _receipt(given: dict[str, Any]) -> Receipt:
    files = tuple(_file(one) for one in _listed(given.pop("files")))
    origin = cast("Mapping[str, Any]", given.pop("source"))
    read: dict[str, Any] = {
        **given,
        "files": files,
        "format": Format(given["format"]),
        "source": Origin(SourceKind(origin["kind"]), _text(origin.get("detail", ""))),
        "aliases": tuple(_listed(given.get("aliases", ()))),
        "modalities": tuple(_listed(given.get("modalities", ()))),
    }
    receipt = Receipt(**read)
    _check(receipt)
    return receipt


def _file(given: Mapping[str, Any]) -> ReceiptFile:
    size, digest = given["size"], _text(given["sha256"])
    if type(size) is not int or size < 0:
        raise ValueError("a file has no size")
    if not DIGEST.fullmatch(digest) or len(digest) != SHA256:
        raise ValueError("a file has no SHA-256")
    infohash = given.get("infohash")
    if infohash is not None and (not DIGEST.fullmatch(_text(infohash)) or len(infohash) != REVISION):
        raise ValueError("a file has no infohash that is one")
    return ReceiptFile(check_path(_text(given["path"])), size, digest, infohash)


def _check(receipt: Receipt) -> None:
    check_repo(_text(receipt.repo))
    if not DIGEST.fullmatch(_text(receipt.revision)) or len(receipt.revision) != REVISION:
        raise ValueError("its revision is no commit")
    if check_path(_text(receipt.artifact)).count("/"):
        raise ValueError("its artifact's name holds a slash")
    for text in (receipt.model_id, receipt.version, *receipt.aliases, *receipt.modalities):
        _text(text)
    for moment in (receipt.downloaded_at, receipt.verified_at):
        seconds_of(_text(moment))
    for text in (receipt.claimed_by, receipt.license, receipt.architecture, receipt.quant, receipt.projector):
        _text("" if text is None else text)
    if any(type(one) not in (int, type(None)) for one in (receipt.parameters, receipt.context_length)):
        raise TypeError("a number is missing")
    if type(receipt.gated) is not bool:
        raise TypeError("whether it is gated is missing")
    if not receipt.files or (receipt.projector and receipt.projector not in {one.path for one in receipt.files}):
        raise ValueError("its files are incomplete")


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError("a list is missing")
    return list(cast("list[Any]", value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _bad(where: str, why: str) -> BadReceiptError:
    return BadReceiptError(
        f"The receipt `{where}` cannot be read: {why}. The model's files are untouched; "
        "`thorp models import` of its folder makes a new receipt.",
        path=where,
    )
