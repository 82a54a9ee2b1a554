"""Whether several files make one model: all parts are there, once each, and of the same model.

Each of these refusals has a sentence of its own, because each has another remedy.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from thorp.formats.errors import BadShardsError, shown
from thorp.formats.gguf import GgufHeader
from thorp.formats.safetensors import SafetensorsHeader

MOST_PARTS: Final = 1000
MOST_TENSORS: Final = 400_000  # of all parts together
PART_NAME: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.[^.]+", re.DOTALL)
_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Part:
    """What a set has to know about one of its files. Numbers begin at 0."""

    name: str
    number: int
    count: int
    tensors: frozenset[int]  # hashes of the names
    total: int | None = None  # tensors of all parts together, where the header says so
    identity: tuple[str, ...] | None = None  # architecture and name, where the header says so
    stem: str | None = None  # the name of the file without its number


def gguf_part(name: str, header: GgufHeader) -> Part:
    """A part as its header says; the name of the file may add to it, and may not contradict."""
    number, count = _number(header, "split.no"), _number(header, "split.count")
    if count is None or count <= 1:
        number, count = 0, 1
    elif number is None or not 0 <= number < count:
        raise BadShardsError(name, f"claims to be part {number} of {count}, counted from 0")
    _refuse_crowd(name, count)
    stem = _agreed_stem(name, number, count)
    known = [header.metadata.get(key) for key in ("general.architecture", "general.name")]
    identity = tuple(str(one) for one in known) if known[0] is not None else None
    hashes = frozenset(hash(tensor.name) for tensor in header.tensors)
    total = _number(header, "split.tensors.count") if count > 1 else None
    return Part(name, number, count, hashes, total, identity, stem)


def safetensors_part(name: str, header: SafetensorsHeader) -> Part:
    """Only the name of the file says which part it is."""
    hashes = frozenset(hash(tensor.name) for tensor in header.tensors)
    said = PART_NAME.fullmatch(name)
    if said is None:
        return Part(name, 0, 1, hashes)
    number, count = int(said["number"]) - 1, int(said["count"])
    _refuse_crowd(name, count)
    if not 0 <= number < count:
        raise BadShardsError(name, f"claims to be part {number + 1} of {count}")
    return Part(name, number, count, hashes, stem=said["stem"])


def refuse_unless_whole(parts: Sequence[Part]) -> None:
    """Fails unless these are all parts of one model, in whatever order."""
    first = parts[0]
    for part in parts[1:]:
        _refuse_mixture(first, part)
    _refuse_gaps(parts)
    _refuse_shared_tensors(parts)


def refuse_too_many(names: Sequence[str]) -> None:
    if len(names) > MOST_PARTS:
        raise BadShardsError(names[0], f"came with {len(names) - 1} other files; {MOST_PARTS} parts are the most")


def refuse_too_many_tensors(name: str, count: int) -> None:
    """Said after each part, so that the rest is not read."""
    if count > MOST_TENSORS:
        raise BadShardsError(name, f"and the parts before it have {count} tensors; {MOST_TENSORS} are the most")


def _refuse_crowd(name: str, count: int) -> None:
    if count > MOST_PARTS:
        raise BadShardsError(name, f"claims to be one of {count} parts; {MOST_PARTS} are the most")


def _number(header: GgufHeader, key: str) -> int | None:
    found = header.metadata.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _agreed_stem(name: str, number: int, count: int) -> str | None:
    said = PART_NAME.fullmatch(name)
    if said is None:
        return None
    if (int(said["number"]), int(said["count"])) != (number + 1, count):
        raise BadShardsError(name, f"is part {number + 1} of {count} by its header and not what its name says")
    return said["stem"]


def _refuse_mixture(first: Part, part: Part) -> None:
    if part.count == 1 or first.count == 1:
        alone = part if part.count == 1 else first
        raise BadShardsError(alone.name, "is a whole model and no part of another")
    if part.count != first.count:
        complaint = f"belongs to {part.count} parts and `{shown(first.name)}` to {first.count}"
        raise BadShardsError(part.name, complaint)
    if part.total != first.total:
        complaint = f"counts {part.total} tensors in all parts and `{shown(first.name)}` {first.total}"
        raise BadShardsError(part.name, complaint)
    if part.stem and first.stem and part.stem != first.stem:
        raise BadShardsError(part.name, f"is a part of another model than `{shown(first.name)}`")
    if part.identity and first.identity and part.identity != first.identity:
        raise BadShardsError(part.name, f"is a part of another model than `{shown(first.name)}`")


def _refuse_gaps(parts: Sequence[Part]) -> None:
    numbers = Counter(part.number for part in parts)
    for part in parts:
        if numbers[part.number] > 1:
            raise BadShardsError(part.name, f"is there twice: part {part.number + 1} of {part.count}")
    missing = [number for number in range(parts[0].count) if number not in numbers]
    if missing:
        listed = ", ".join(f"{number + 1:05d}" for number in missing[:_LISTED])
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise BadShardsError(parts[0].name, f"is one of {parts[0].count} parts, and these are missing: {listed}{more}")


def _refuse_shared_tensors(parts: Sequence[Part]) -> None:
    seen: set[int] = set()
    for part in parts:
        if not seen.isdisjoint(part.tensors):
            raise BadShardsError(part.name, "has tensors that another part has too")
        seen |= part.tensors
    total = parts[0].total
    if total is not None and total != len(seen):
        raise BadShardsError(parts[0].name, f"promises {total} tensors in all parts; there are {len(seen)}")
