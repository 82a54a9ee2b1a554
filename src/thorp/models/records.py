"""Transfers as they are kept on disk: one file each, which every process of this home may read.

Whoever carries a transfer holds its lock; a record that says `active` while nobody holds it belongs to somebody who
died. A wish beside it reaches the carrier, whichever process that is.
"""

import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Final, cast

from thorp.base.errors import IntegrityError, NotFoundError, ThorpError
from thorp.base.files import DISK, explaining, read_bounded, write_atomically
from thorp.base.ulid import is_ulid
from thorp.models.plan import PullPlan, parse_plan, plan_data

LARGEST: Final = 32 * 1024 * 1024
LONGEST_WISH: Final = 64
MOST_BYTES: Final = (1 << 63) - 1
MOST_ENDED: Final = 100  # kept for the list


TEXTS: Final = ("id", "key", "ref", "model_id", "repo", "revision", "created", "updated", "note", "pieces")
COUNTS: Final = ("total", "done", "rate", "limit")


class NoSuchTransferError(NotFoundError):
    """No transfer has this id."""

    code = "transfers.no_such"


class BadRecordError(IntegrityError):
    """The record of a transfer that cannot be read."""

    code = "transfers.bad_record"


class State(StrEnum):
    QUEUED = "queued"
    RESOLVING = "resolving"
    ACTIVE = "active"
    PAUSED = "paused"
    VERIFYING = "verifying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({State.DONE, State.FAILED, State.CANCELLED})
AT_REST: Final = ENDED | {State.PAUSED}  # nothing goes on by itself
CARRIED: Final = frozenset({State.QUEUED, State.RESOLVING, State.ACTIVE, State.VERIFYING})


@dataclass(frozen=True, slots=True)
class Record:
    id: str
    key: str  # of its plan
    ref: str
    model_id: str
    repo: str
    revision: str
    total: int
    state: State
    created: str  # RFC 3339
    updated: str
    note: str = ""
    done: int = 0
    by_source: Mapping[str, int] = field(default_factory=dict[str, int])
    pieces: str = ""
    rate: int = 0
    eta: float | None = None
    limit: int = 0
    error: Mapping[str, Any] | None = None  # code, message, details

    def now(self, **changes: Any) -> "Record":
        return replace(self, **changes)


def record_of(plan: PullPlan, transfer: str, now: str, limit: int) -> Record:
    """A transfer that has not begun yet."""
    return Record(
        id=transfer,
        key=plan.key,
        ref=plan.ref,
        model_id=plan.model_id,
        repo=plan.repo,
        revision=plan.revision,
        total=plan.size,
        state=State.QUEUED,
        created=now,
        updated=now,
        limit=limit,
    )


class RecordBook:
    """The folder of records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        with explaining("make", self._folder):
            self._folder.mkdir(0o700, parents=True, exist_ok=True)

    def changed(self) -> int:
        """When something in it changed last; a note of progress counts, the death of a process does not."""
        with suppress(OSError):
            return self._folder.stat().st_mtime_ns
        return 0

    def every(self) -> tuple[Record, ...]:
        """All records that can be read, newest first."""
        return tuple(record for name in reversed(self._ids()) if (record := self.read(name)) is not None)

    def read(self, transfer: str) -> Record | None:
        try:
            record = _parsed(read_bounded(DISK, self._path(transfer), LARGEST))
        except ThorpError:
            return None
        return record if record.id == transfer else None

    def get(self, transfer: str) -> Record:
        if is_ulid(transfer) and (record := self.read(transfer)) is not None:
            return record
        raise NoSuchTransferError(
            f"There is no transfer `{transfer[:64]}`. `thorp transfers` lists them.", id=transfer[:64]
        )

    def live(self, key: str) -> Record | None:
        """The transfer of an artifact that is not over."""
        return next((one for one in self.every() if one.key == key and one.state not in ENDED), None)

    def begin(self, record: Record, plan: PullPlan) -> Record:
        """Keep a new transfer, or answer with the one of the same artifact that is not over.

        First what it is to bring is kept, then that it exists.
        """
        text = json.dumps(plan_data(plan), ensure_ascii=False).encode()
        with self._gate():
            if (other := self.live(record.key)) is not None:
                return other
            write_atomically(DISK, self._folder / f"{record.id}.plan", text)
            self.write(record)
        return record

    def plan(self, transfer: str) -> PullPlan:
        """What a transfer is to bring."""
        try:
            return parse_plan(json.loads(read_bounded(DISK, self._folder / f"{transfer}.plan", LARGEST)))
        except (ThorpError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadRecordError(
                f"What the transfer {transfer} was to bring cannot be read. Cancel it and pull again.", id=transfer
            ) from error

    def write(self, record: Record) -> None:
        """Keep how a transfer stands, on disk when this returns."""
        write_atomically(DISK, self._path(record.id), json.dumps(asdict(record), ensure_ascii=False).encode())

    def note(self, record: Record) -> None:
        """The same without waiting for the disk, for what changes several times a second."""
        draft = self._path(record.id).with_suffix(".new")
        with explaining("write", draft):
            draft.write_text(json.dumps(asdict(record), ensure_ascii=False), "utf-8")
            draft.replace(self._path(record.id))

    def carry(self, transfer: str) -> "Carrying | None":
        """Be who carries a transfer; None while somebody else does."""
        with self._gate():
            return self._locked(transfer)

    def is_carried(self, transfer: str) -> bool:
        """Whether somebody carries it. To find that out its lock is tried, which nobody else may see."""
        with self._gate():
            if not (self._folder / f"{transfer}.lock").exists():
                return False
            if (carrying := self._locked(transfer)) is None:
                return True
            carrying.let_go()
            return False

    def _locked(self, transfer: str) -> "Carrying | None":
        at = self._folder / f"{transfer}.lock"
        with explaining("lock", at):
            handle = os.open(at, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return Carrying(handle)

    @contextmanager
    def _gate(self) -> Generator[None]:
        """One at a time, among all processes of this home; nobody stays longer than it takes to write two files."""
        with explaining("lock", self._folder):
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def wish(self, transfer: str, wish: str) -> None:
        """Wish for an end; the latest wish counts."""
        write_atomically(DISK, self._folder / f"{transfer}.wish", wish.encode())

    def take_wish(self, transfer: str) -> str | None:
        """What end somebody wished of a transfer; it is fulfilled by who takes it."""
        return _taken(self._folder / f"{transfer}.wish")

    def wish_limit(self, transfer: str, rate: int) -> None:
        write_atomically(DISK, self._folder / f"{transfer}.limit", str(rate).encode())

    def take_limit(self, transfer: str) -> int | None:
        text = _taken(self._folder / f"{transfer}.limit")
        return rate if text and text.isdecimal() and _counts(rate := int(text)) else None

    def tidy(self) -> None:
        """Forget the oldest of those that ended long ago."""
        ended = [one for one in self.every() if one.state in ENDED]
        for record in ended[MOST_ENDED:]:
            for ending in ("json", "plan", "lock", "wish", "limit"):
                with suppress(OSError):
                    (self._folder / f"{record.id}.{ending}").unlink()

    def _ids(self) -> list[str]:
        with suppress(OSError):
            return sorted(one.stem for one in self._folder.glob("*.json") if is_ulid(one.stem))
        return []

    def _path(self, transfer: str) -> Path:
        return self._folder / f"{transfer}.json"


class Carrying:
    """The lock of who carries a transfer. The kernel takes it back from who dies."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def let_go(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _taken(at: Path) -> str | None:
    with suppress(OSError), at.open("rb") as file:
        wish = file.read(LONGEST_WISH).decode("ascii", "replace")
        at.unlink()
        return wish
    return None


def _parsed(text: bytes) -> Record:
    try:
        given = cast("dict[str, Any]", json.loads(text))
        read: dict[str, Any] = {**given, "state": State(given["state"])}
        record = Record(**read)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        record = None
    if record is None or not _fits(record):
        raise BadRecordError("The record of a transfer cannot be read.")
    return record


def _fits(record: Record) -> bool:
    """Whether every field is of its kind: a record may have been written by anybody."""
    given: dict[str, Any] = asdict(record)
    eta, error, by_source = given["eta"], given["error"], given["by_source"]
    return (
        all(isinstance(given[name], str) for name in TEXTS)
        and all(_counts(given[name]) for name in COUNTS)
        and (eta is None or (isinstance(eta, int | float) and isfinite(eta)))
        and isinstance(by_source, dict)
        and all(map(_counts, cast("dict[str, Any]", by_source).values()))
        and (error is None or _says_why(error))
    )


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_BYTES


def _says_why(error: object) -> bool:
    match error:
        case {"code": str(), "message": str(), "details": dict()}:
            return True
        case _:
            return False
