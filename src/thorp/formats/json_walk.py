"""A cursor over JSON that may be as large as 100 MB: it takes out one string or one small object at a time.

So a hostile document costs time for its bytes, and no memory beyond what the caller keeps.
"""

import codecs
import json
import mmap
import re
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, cast

LONGEST_STRING: Final = 1024 * 1024  # bytes as written; a longer value is checked and passed over
LARGEST_OBJECT: Final = 4096  # bytes; enough for any description of a tensor
_CHUNK: Final = 64 * 1024

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
)  # possessive: nothing is remembered for a way back
_SMALL_OBJECT: Final = re.compile(rb"\{[^{}]{0,4096}+\}")


class JsonWalk:
    """Where we are in one document, which ends at `end`. Complaints go to the caller's own refusal."""

    def __init__(self, data: mmap.mmap, start: int, end: int, refuse: Callable[[str], NoReturn]) -> None:
        self._data = data
        self._position = start
        self._end = end
        self._refuse = refuse

    def check_utf8(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for first in range(self._position, self._end, _CHUNK):
                decoder.decode(self._data[first : min(first + _CHUNK, self._end)])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self._refuse("has a header that is no UTF-8")

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller takes the value of each before it asks for the next."""
        self._expect(b"{")
        if self._goes_on_with(b"}"):
            return
        while True:
            key = self.string()
            if key is None:
                self._refuse("has a header with a key of more than a mebibyte")
            self._expect(b":")
            yield key
            if self._goes_on_with(b"}"):
                return
            self._expect(b",")

    def string(self) -> str | None:
        """The string that stands here; None when it is too long to be kept."""
        self._pass_space()
        found = _STRING.match(self._data, self._position, self._end)
        if found is None:
            self._refuse(f"has a header that is no JSON as it should be, near its byte {self._position}")
        self._position = found.end()
        if found.end() - found.start() > LONGEST_STRING:
            return None
        text = cast("str", json.loads(found[0]))
        if not _is_whole(text):
            self._refuse("has a header with half a character in it")
        return text

    def small_object(self, what: str) -> dict[str, object]:
        """An object without another one in it."""
        self._pass_space()
        found = _SMALL_OBJECT.match(self._data, self._position, self._end)
        if found is None or found.end() - found.start() > LARGEST_OBJECT:
            self._refuse(f"does not describe {what} as an object of a few numbers")
        self._position = found.end()
        try:
            pairs = cast("list[tuple[str, object]]", json.loads(found[0], object_pairs_hook=list))
        except (ValueError, RecursionError):
            self._refuse(f"does not describe {what} in JSON as it should be")
        if len(fields := dict(pairs)) != len(pairs):
            self._refuse(f"says something twice about {what}")
        return fields

    def finish(self) -> None:
        self._pass_space()
        if self._position != self._end:
            self._refuse("has something behind the JSON of its header")

    def _pass_space(self) -> None:
        if found := _SPACE.match(self._data, self._position, self._end):
            self._position = found.end()

    def _goes_on_with(self, mark: bytes) -> bool:
        self._pass_space()
        goes_on = self._position < self._end and self._data[self._position : self._position + 1] == mark
        self._position += goes_on
        return goes_on

    def _expect(self, mark: bytes) -> None:
        if not self._goes_on_with(mark):
            self._refuse(f"has a header that is no JSON as it should be, near its byte {self._position}")


def _is_whole(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)
