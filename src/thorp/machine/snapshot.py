"""What memory this machine has, as far as this process may use it. What nobody says stays unknown; nothing is guessed.

The parsers are pure functions over text as the kernel writes it; `read_snapshot` alone touches the disk.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from thorp.base.clock import Clock

KIB: Final = 1024
NO_LIMIT: Final = 1 << 60  # cgroup v1 writes "none" as a number about 2^63; no machine has that much memory
DEEPEST: Final = 64  # levels of groups above this process that are asked for their limit
LONGEST: Final = 65_536  # bytes read of one file of the kernel


@dataclass(frozen=True, slots=True)
class MachineSnapshot:
    """Bytes; None is unknown."""

    ram_total: int | None  # of the machine, or of the container where that gives less
    ram_available: int | None  # without swapping, by the kernel's own estimate and within the same limits
    at: float  # monotonic: a snapshot has an age


@dataclass(frozen=True, slots=True)
class Membership:
    """The group of processes that this one belongs to, as far as memory is concerned."""

    version: int  # of cgroup: 1 or 2
    path: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one group may use, and how much of it is left."""

    limit: int
    left: int | None


@dataclass(frozen=True, slots=True)
class Names:
    """How the files of a group are called."""

    root: str
    limit: str
    used: str
    reclaimable: str  # the line of `memory.stat` with file pages that the kernel drops before it refuses memory


NAMES: Final = {
    1: Names("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: Names("", "memory.max", "memory.current", "inactive_file"),
}


def read_snapshot(clock: Clock, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> MachineSnapshot:
    """A handful of small reads. Where there is no procfs, everything is unknown."""
    memory = meminfo_of(text_of(proc / "meminfo"))
    group = membership_of(text_of(proc / "self/cgroup"))
    bounds = tuple(bounds_above(group, cgroup)) if group else ()
    return MachineSnapshot(
        ram_total=least([memory.get("MemTotal"), *(one.limit for one in bounds)]),
        ram_available=least([memory.get("MemAvailable"), *(one.left for one in bounds)]),
        at=clock.monotonic(),
    )


def meminfo_of(text: str) -> dict[str, int]:
    """`/proc/meminfo` in bytes; lines that count something else are left out."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        match value.split():
            case [count, "kB"] if is_count(count):
                found[name.strip()] = int(count) * KIB
            case _:
                pass
    return found


def membership_of(text: str) -> Membership | None:
    """`/proc/self/cgroup`. Where both versions are mounted, memory belongs to the first that names it."""
    unified = None
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            return Membership(1, path)
        if (number, controllers) == ("0", ""):
            unified = Membership(2, path)
    return unified


def limit_of(text: str) -> int | None:
    """`memory.max` or `memory.limit_in_bytes`; None is no limit."""
    count = count_of(text)
    return None if count is None or count >= NO_LIMIT else count


def count_of(text: str) -> int | None:
    word = text.strip()
    return int(word) if is_count(word) else None


def stat_of(text: str, name: str) -> int:
    """One line of `memory.stat`; 0 where it is missing."""
    for line in text.splitlines():
        match line.split():
            case [found, count] if found == name and is_count(count):
                return int(count)
            case _:
                pass
    return 0


def is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= len(str(1 << 64))


def least(counts: Iterable[int | None]) -> int | None:
    """The smallest that is known."""
    return min((one for one in counts if one is not None), default=None)


def levels_of(path: str) -> Iterator[PurePosixPath]:
    """The group itself and those around it, relative to the root of all, which comes last.

    A container may see the path that its host uses; its own limit then stands at the root, and the rest is not there.
    """
    parts = [part for part in path.split("/") if part not in ("", ".", "..")][:DEEPEST]
    for count in range(len(parts), -1, -1):
        yield PurePosixPath(*parts[:count])


def bounds_above(group: Membership, cgroup: Path) -> Iterator[Bounds]:
    """Every limit that holds for the group: its own, and those of the groups around it."""
    names = NAMES[group.version]
    for level in levels_of(group.path):
        folder = cgroup / names.root / level
        limit = limit_of(text_of(folder / names.limit))
        if limit is not None:
            yield Bounds(limit, left_of(limit, folder, names))


def left_of(limit: int, folder: Path, names: Names) -> int | None:
    used = count_of(text_of(folder / names.used))
    if used is None:
        return None
    dropped = stat_of(text_of(folder / "memory.stat"), names.reclaimable)
    return max(0, limit - max(0, used - dropped))


def text_of(path: Path) -> str:
    """The start of a small file; empty where it cannot be read."""
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(LONGEST).decode("utf-8", "replace")
    return ""
