"""What the fake hub is told to do wrong, and to whom. A fault strikes a number of requests, then it is used up."""

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from thorp.base.errors import UsageError
from thorp.testing.hub.request import Host
from thorp.wire.model import misfits


class FaultKind(StrEnum):
    CUT = "cut"  # the connection ends after `after` bytes of the answer, or at byte `at` of the file
    STALL = "stall"  # nothing more comes from there on; with `seconds` it goes on afterwards
    SLOW = "slow"  # `rate` bytes in a second
    WRONG_BYTES = "wrong_bytes"  # `length` bytes are flipped, from byte `at` of the file on
    WRONG_LENGTH = (
        "wrong_length"  # Content-Length (a redirect's X-Linked-Size) is `length` more, or less, than the truth
    )
    MORE_BYTES = "more_bytes"  # `length` bytes too many, and Content-Length counts them
    NO_LENGTH = "no_length"  # in chunks; with value="close" until the connection ends
    WRONG_RANGE = "wrong_range"  # Content-Range is `value`, or one byte off
    IGNORE_RANGE = "ignore_range"  # 200 and everything, whatever range was asked for
    CHANGED_ETAG = "changed_etag"  # ETag and X-Linked-ETag are `value`, or another hash; If-Range does not fit any more
    GZIP = "gzip"  # compressed, although nobody asked for it
    RATE_LIMITED = "rate_limited"  # 429; Retry-After is `value`, or `seconds`
    SERVER_ERROR = "server_error"  # `status`, or 503; Retry-After when `value` says so
    LOGIN_PAGE = "login_page"  # 200 and HTML
    REDIRECT = "redirect"  # to `value`; without one, to itself
    DROP = "drop"  # the connection ends without an answer


class On(StrEnum):
    """What a request is for."""

    API = "api"
    RESOLVE = "resolve"  # where a large file is; answered with a redirect
    BYTES = "bytes"  # the bytes of a file, from the CDN or, of a small one, from the hub
    ANY = "any"


_OF_BYTES: Final = frozenset(
    {FaultKind.CUT, FaultKind.STALL, FaultKind.SLOW, FaultKind.WRONG_BYTES, FaultKind.WRONG_LENGTH}
    | {FaultKind.MORE_BYTES, FaultKind.NO_LENGTH, FaultKind.WRONG_RANGE, FaultKind.IGNORE_RANGE, FaultKind.GZIP}
)
_OF_RANGES: Final = frozenset({FaultKind.WRONG_RANGE, FaultKind.IGNORE_RANGE})


@dataclass(frozen=True, slots=True)
class Fault:
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    kind: FaultKind
    path: str = "*"  # of the file in its repository; a pattern, as are the next two
    repo: str = "*"
    method: str = "*"
    host: Host | None = None
    on: On | None = None  # None: the bytes of files where it is about bytes, else everything
    times: int | None = 1  # how many requests it strikes; None: all of them
    skip: int = 0  # how many it lets pass before
    after: int = 0  # bytes of the answer
    at: int | None = None  # byte of the file; strikes only requests that ask for it
    length: int = 1
    seconds: float = 0.0
    rate: int = 0
    status: int = 0
    value: str = ""
    reset: bool = False  # whatever closes, closes with a reset

    @property
    def aims_at(self) -> On:
        if self.on is not None:
            return self.on
        return On.BYTES if self.kind in _OF_BYTES else On.ANY


_READER: Final = TypeAdapter(Fault)


@dataclass(frozen=True, slots=True)
class Target:
    """A request, as far as a fault looks at it."""

    on: On
    host: Host
    method: str
    repo: str = ""
    file: str = ""
    span: tuple[int, int] | None = None  # which bytes of a file it is about to get
    ranged: bool = False


def fits(fault: Fault, target: Target) -> bool:
    return (
        fault.aims_at in (target.on, On.ANY)
        and fault.host in (target.host, None)
        and fnmatchcase(target.method, fault.method)
        and fnmatchcase(target.repo, fault.repo)
        and fnmatchcase(target.file, fault.path)
        and _has_bytes_for(fault, target)
    )


def _has_bytes_for(fault: Fault, target: Target) -> bool:
    if fault.kind in _OF_BYTES and target.on is On.BYTES and target.method != "GET":
        return False
    if fault.kind in _OF_RANGES and not target.ranged:
        return False
    if fault.at is None:
        return True
    return target.span is not None and target.span[0] < fault.at + max(1, fault.length) and fault.at < target.span[1]


@dataclass(eq=False, slots=True)
class _Armed:
    fault: Fault
    passed: int = 0
    struck: int = 0

    @property
    def is_used_up(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times

    def strikes(self) -> bool:
        if self.is_used_up:
            return False
        if self.passed < self.fault.skip:
            self.passed += 1
            return False
        self.struck += 1
        return True


@dataclass(eq=False, slots=True)
class Faults:
    """Everything that is armed. Any thread may add and clear while requests come in."""

    _armed: list[_Armed] = field(default_factory=list[_Armed])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._armed += [_Armed(fault) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    @property
    def left(self) -> tuple[Fault, ...]:
        """What has not struck as often as it was told to."""
        with self._lock:
            return tuple(one.fault for one in self._armed if not one.is_used_up)

    def strike(self, target: Target) -> tuple[Fault, ...]:
        """The faults that strike this request; it counts for each of them."""
        with self._lock:
            return tuple(one.fault for one in self._armed if fits(one.fault, target) and one.strikes())


def read_fault(text: str) -> Fault:
    """A fault as the command line writes it: a JSON object with the fields of `Fault`."""
    try:
        return _READER.validate_json(text)
    except ValidationError as error:
        field, why = misfits(error)[0]
        example = '{"kind": "cut", "after": 1000}'
        raise UsageError(f"`{text}` is no fault: `{field}` {why}. Try {example}.") from error
