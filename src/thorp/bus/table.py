"""Which capabilities this node offers, which of them are listed, and which one answers to a name. No I/O."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from thorp.base.nearest import did_you_mean
from thorp.bus.errors import AlreadyOfferedError, NoSuchCapabilityError, SchemaMismatchError
from thorp.bus.health import Health
from thorp.wire.capability import NAME, VERSION, Capability, Offer

WANTED: Final = re.compile(rf"(?P<name>{NAME.pattern})(@(?P<version>{VERSION.pattern}))?")


@dataclass(eq=False, slots=True)
class Entry:
    """One offer and how it is doing. Listed only after its self-test passed."""

    offer: Offer
    listed: bool = False
    reason: str = "not tested yet"
    running: int = 0
    calls: int = 0
    faults: int = 0
    health: Health = field(default_factory=Health)

    @property
    def capability(self) -> Capability:
        return self.offer.capability


def parse_wanted(text: str) -> tuple[str, str | None]:
    """`name` or `name@major.minor`."""
    match = WANTED.fullmatch(text)
    if not match:
        raise SchemaMismatchError(f"`{text[:80]}` is no capability; one looks like `node.echo` or `node.echo@1.0`.")
    return match["name"], match["version"]


def answers(capability: Capability, version: str | None) -> bool:
    """Same major, and at least the minor that was asked for."""
    if version is None:
        return True
    major, _, minor = version.partition(".")
    return capability.major == int(major) and capability.minor >= int(minor)


class Table:
    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def add(self, offer: Offer) -> Entry:
        same_name = self._entries.setdefault(offer.capability.name, [])
        if any(entry.capability.id == offer.capability.id for entry in same_name):
            raise AlreadyOfferedError(f"{offer.capability.id} is offered twice on this node.")
        entry = Entry(offer)
        same_name.append(entry)
        same_name.sort(key=lambda one: (one.capability.major, one.capability.minor), reverse=True)
        return entry

    def __iter__(self) -> Iterator[Entry]:
        for name in sorted(self._entries):
            yield from self._entries[name]

    def resolve(self, wanted: str) -> Entry:
        """The newest listed capability that answers to `wanted`."""
        name, version = parse_wanted(wanted)
        of_name = self._entries.get(name, [])
        fitting = [entry for entry in of_name if answers(entry.capability, version)]
        for entry in fitting:
            if entry.listed:
                return entry
        raise NoSuchCapabilityError(self._why_not(wanted, name, of_name, fitting), capability=wanted)

    def _why_not(self, wanted: str, name: str, of_name: list[Entry], fitting: list[Entry]) -> str:
        if fitting:
            return f"{wanted} is not listed on this node: {fitting[0].reason}."
        if of_name:
            have = ", ".join(entry.capability.version for entry in of_name)
            return f"This node has {name} in version {have}, not one that answers to {wanted}."
        listed = [entry.capability.name for entry in self if entry.listed]
        return f"This node has no capability `{name}`.{did_you_mean(name, listed)}"
