"""JSON from strangers: bytes in, plain values out, or one error whose sentence says what is wrong.

The shape is measured on the raw bytes before anything is built, so a hostile document costs no more
memory than a few times its bytes.
Refuses what two parsers could read differently: duplicate keys, NaN, half surrogates, numbers that do not fit.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NoReturn, cast

import orjson

from thorp.base.errors import UsageError

DEEPEST: Final = 64
MOST_MEMBERS: Final = 200_000
LARGEST: Final = 2**63 - 1  # what SQLite and most languages hold
_SHOWN: Final = 60

_WHITESPACE: Final = b" \t\r\n"
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_LONG_NUMBER: Final = re.compile(rb"(?:^|[\[,:])(-?[0-9]{19,})(?=[\],}]|$)")
_CONTAINERS: Final = (dict, list)
_NOT_A_NUMBER: Final = re.compile(rb"NaN|Infinity")


class BadJsonError(UsageError):
    """A body that is not JSON as Thorp takes it."""

    code = "wire.bad_json"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What can be known about a document without building it. Exact for valid documents."""

    outside: bytes  # everything that is neither inside a string nor whitespace
    openers: int
    members: int
    pairs: int


def parse_json(body: bytes) -> object:
    """The value these bytes spell."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadJsonError("The JSON begins with a byte order mark; send plain UTF-8.")
    shape = _measure(body)
    _refuse_outsized(shape)
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _explain(shape, error)
    if not _all_pairs_are_in(value, shape.pairs):
        raise BadJsonError(f"The key {_twice(body)} occurs twice in one JSON object; leave one of them out.")
    return value


def check_shape(body: bytes) -> None:
    """Return if a reader may build these bytes: they spell neither too many members nor too deep a nest."""
    _refuse_outsized(_measure(body))


def _measure(body: bytes) -> _Shape:
    """Escapes go first, so that every quote left opens or closes a string."""
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    if bare.count(b'"') > 4 * MOST_MEMBERS + 2:  # a member has at most a key and a string
        raise _too_many()
    outside = b"".join(bare.split(b'"')[::2]).translate(None, _WHITESPACE)
    openers = outside.count(b"[") + outside.count(b"{")
    filled = openers - outside.count(b"[]") - outside.count(b"{}")
    return _Shape(outside, openers, outside.count(b",") + filled, outside.count(b":"))


def _refuse_outsized(shape: _Shape) -> None:
    if shape.members > MOST_MEMBERS:
        raise _too_many()
    if shape.openers > DEEPEST and _depth(shape) > DEEPEST:
        raise BadJsonError(f"The JSON is nested deeper than {DEEPEST} levels.")
    for number in _LONG_NUMBER.findall(shape.outside):
        if len(number) > len(str(-LARGEST)) or not -LARGEST - 1 <= int(number) <= LARGEST:
            raise BadJsonError("The JSON has a whole number beyond 64 bits; send it as text.")


def _depth(shape: _Shape) -> int:
    brackets = shape.outside.translate(None, _NOT_BRACKETS)[: 2 * shape.openers]
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _too_many() -> BadJsonError:
    return BadJsonError(f"The JSON has more than {MOST_MEMBERS} members; send it in parts.")


def _explain(shape: _Shape, error: orjson.JSONDecodeError) -> NoReturn:
    if "surrogate in string" in error.msg:
        raise BadJsonError("The JSON has half of a surrogate pair in a string.") from None
    if "UTF-8" in error.msg:
        raise BadJsonError("The JSON is not UTF-8.") from None
    if "infinity" in error.msg or _NOT_A_NUMBER.search(shape.outside):
        raise BadJsonError("The JSON has a number that is none: NaN, Infinity, or one too large.") from None
    raise BadJsonError(f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None


def _all_pairs_are_in(value: object, written: int) -> bool:
    """Whether as many keys survived parsing as were written; a key that was written twice is there once."""
    waiting = [value]
    while waiting and written:
        item = waiting.pop()
        if isinstance(item, dict):
            held = cast("dict[str, object]", item)
            written -= len(held)
            waiting += [inner for inner in held.values() if type(inner) in _CONTAINERS]
        elif isinstance(item, list):
            waiting += [inner for inner in cast("list[object]", item) if type(inner) in _CONTAINERS]
    return not written


def _twice(body: bytes) -> str:
    """The first key that is written twice, for the message only: the body is known to be sound and small."""
    twice: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        twice.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)

    json.loads(body, object_pairs_hook=look)
    return json.dumps(twice[0][:_SHOWN])
