"""The body of an answer in its three framings, and what its head must look like to be believed."""

import http.client
import re
from collections.abc import Mapping
from typing import Final, Protocol

from thorp.net.outward_errors import OutwardBadAnswerError
from thorp.net.outward_line import LARGEST_HEAD, Line, broken

LONGEST_LINE: Final = 4096  # of a chunk's size with its extensions, or of a trailer
_ONCE: Final = frozenset({"content-length", "content-range", "content-encoding", "location", "transfer-encoding"})
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_STATUSES: Final = range(200, 600)
_NO_BODY: Final = frozenset({204, 304})


class Body(Protocol):
    @property
    def done(self) -> bool:
        """Whether the end was seen, and the connection may serve another request."""
        ...

    def readinto(self, buffer: memoryview) -> int: ...


def _some(line: Line, buffer: memoryview) -> int:
    """At least one byte, because more have to come."""
    if not (count := line.take(buffer)):
        raise broken(line.origin)
    return count


class Counted:
    """As many bytes as the head said."""

    def __init__(self, line: Line, length: int) -> None:
        self._line = line
        self._left = length

    @property
    def done(self) -> bool:
        return self._left == 0

    def readinto(self, buffer: memoryview) -> int:
        if not self._left:
            return 0
        count = _some(self._line, buffer[: self._left])
        self._left -= count
        return count


class Chunked:
    """Pieces with their sizes before them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._left = 0
        self._begun = False
        self.done = False

    def readinto(self, buffer: memoryview) -> int:
        if self.done:
            return 0
        if not self._left:
            self._next()
            if self.done:
                return 0
        count = _some(self._line, buffer[: self._left])
        self._left -= count
        return count

    def _next(self) -> None:
        if self._begun and self._one_line().strip():
            raise self._bad()
        self._begun = True
        found = _CHUNK.fullmatch(self._one_line())
        if found is None:
            raise self._bad()
        self._left = int(found[1], 16)
        if not self._left:
            self._trailers()
            self.done = True

    def _trailers(self) -> None:
        allowed = LARGEST_HEAD
        while (line := self._one_line()).strip():
            allowed -= len(line)
            if allowed < 0:
                raise self._bad()

    def _one_line(self) -> bytes:
        line = self._line.buffered.readline(LONGEST_LINE)
        if not line:
            raise broken(self._line.origin)
        if not line.endswith(b"\n"):
            raise self._bad()
        return line

    def _bad(self) -> OutwardBadAnswerError:
        return OutwardBadAnswerError(f"`{self._line.origin.host}` sent a chunked body that is not one.")


class UntilClose:
    """Bytes until the other side hangs up; nobody can tell whether all came."""

    done = False

    def __init__(self, line: Line) -> None:
        self._line = line

    def readinto(self, buffer: memoryview) -> int:
        return self._line.take(buffer)


def read_head(line: Line, answer: http.client.HTTPResponse) -> Mapping[str, str]:
    """Headers by their lower-case names. Refuses what two programs could read differently."""
    who = line.origin.host
    if answer.headers.defects or answer.status not in _STATUSES:
        raise OutwardBadAnswerError(f"`{who}` does not speak HTTP as it should.")
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        lower = name.lower()
        if "\r" in value or "\n" in value or (lower in _ONCE and lower in headers):
            raise OutwardBadAnswerError(f"`{who}` sent the header `{lower}` in a way that is refused.")
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutwardBadAnswerError(f"`{who}` sent a compressed answer, though it was asked not to.")
    return headers


def body_of(line: Line, method: str, status: int, headers: Mapping[str, str]) -> Body:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and (coding is not None or not _COUNT.fullmatch(length)):
        raise OutwardBadAnswerError(f"`{line.origin.host}` sent a length that is refused.")
    if coding is not None and coding.strip().lower() != "chunked":
        raise OutwardBadAnswerError(f"`{line.origin.host}` sent a transfer encoding that is not known.")
    if method == "HEAD" or status in _NO_BODY:
        return Counted(line, 0)
    if coding is not None:
        return Chunked(line)
    return UntilClose(line) if length is None else Counted(line, int(length))
