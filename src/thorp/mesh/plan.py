"""When to speak and by which way, and why nobody is heard. Numbers in, decisions out."""

from collections.abc import Collection, Sequence
from typing import Final, Literal

from thorp.mesh.index_types import Circle, NicMarks
from thorp.mesh.types import By, Hearing, InterfaceHearing, Standing
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER

GRAIN: Final = 1000  # a random number is drawn in steps of a thousandth of a second
SHORTEST_PAUSE: Final = 25.0
LONGEST_PAUSE: Final = 40.0
FIRST_WITHIN: Final = 0.5
ANSWER_WITHIN: Final = 1.0  # to a member who just arrived
BETWEEN_CHANGES: Final = 1.0
ECHO_WITHIN: Final = 2.0
SETTLES: Final = 5.0  # after the first listening: who is there has been heard by then, where anything gets through
TTL: Final = 180

OFF: Final = "it is turned off; `thorp config set lan.enabled true` turns it on"
NO_NETWORK: Final = "this machine is on no network that may be used; see `lan.interfaces`"
NO_ECHO: Final = "not even this machine hears its own multicast; a firewall here may hold UDP port 4269 back"
JUST_BEGUN: Final = "it began to listen a moment ago; look again in a few seconds"
ALONE: Final = "nobody else belongs to this household yet; `thorp lan invite` makes a link"
NO_MULTICAST: Final = "multicast does not get through on this network, broadcast does"
NEITHER: Final = "neither multicast nor broadcast gets through on this network; neighbours are found by mDNS and calls"
NOBODY: Final = "no member is heard; they may be off, or the network keeps its devices apart, as guest networks do"


def first_delay(drawn: int) -> float:
    """Nodes that start together, after a power cut, do not speak in the same moment."""
    return min(drawn / GRAIN, FIRST_WITHIN)


def pause(drawn: int) -> float:
    return min(SHORTEST_PAUSE + drawn / GRAIN, LONGEST_PAUSE)


def due(planned: float, last: float | None, wanted: float | None) -> float:
    """When the next packet goes out: as planned, or earlier for a change, but never two within a second."""
    if wanted is None:
        return planned
    return min(planned, wanted if last is None else max(wanted, last + BETWEEN_CHANGES))


def next_seq(last: int, unix_ms: int) -> int:
    """Grows over restarts, whatever the machine's clock does."""
    return min(max(last + 1, unix_ms), LARGEST_WHOLE_NUMBER)


def is_recent(at: float | None, now: float) -> bool:
    """Within the last two intervals: one lost packet decides nothing."""
    return at is not None and now - at <= 2 * LONGEST_PAUSE


def broadcasts(circle: Circle, marks: NicMarks, now: float) -> bool:
    """Whether to speak to everybody on an interface as well: as long as no member is heard there through the group."""
    return not circle.is_alone and not is_recent(marks.group, now)


def circle_of(standing: Standing, now: float) -> Circle:
    """Whom to believe, as the household stands at this moment."""
    return Circle(standing.keys(now), standing.lan.epoch, standing.names, standing.roster.removed)


def hearing(circle: Circle, marks: Sequence[NicMarks], by: Collection[By], now: float) -> Hearing:
    """How the others hear this node, judged by how it hears them. `by` says how those around were found."""
    interfaces = tuple(_interface(one, now) for one in marks)
    way, why = _way(circle, marks, by, now)
    if way == "none" and not why:
        why = next((one.why for one in interfaces if one.why), JUST_BEGUN if just_begun(marks, now) else NOBODY)
    return Hearing(way, why, interfaces)


def just_begun(marks: Sequence[NicMarks], now: float) -> bool:
    return all(one.since is not None and now - one.since < SETTLES for one in marks)


def _way(
    circle: Circle, marks: Sequence[NicMarks], by: Collection[By], now: float
) -> tuple[Literal["multicast", "broadcast", "mdns", "none"], str]:
    if not marks:
        return "none", NO_NETWORK
    if any(is_recent(one.group, now) for one in marks):
        return "multicast", ""
    if any(is_recent(one.wide, now) for one in marks):
        return "broadcast", NO_MULTICAST
    if by:
        return "mdns", JUST_BEGUN if just_begun(marks, now) else NEITHER
    return "none", ALONE if circle.is_alone else ""


def _interface(marks: NicMarks, now: float) -> InterfaceHearing:
    if is_recent(marks.group, now):
        multicast, why = True, ""
    elif marks.error:
        multicast, why = False, f"sending fails: {marks.error}"
    elif marks.sent is not None and now - marks.sent > ECHO_WITHIN and not is_recent(marks.echo, now):
        multicast, why = False, NO_ECHO
    else:
        multicast, why = None, ""
    return InterfaceHearing(marks.name, marks.address, multicast, marks.broadcast, why)
