"""The settings of the household."""

from dataclasses import dataclass

from thorp.base.settings import Shape, setting

LONGEST_NAME = 15  # what Linux allows


def is_interface(text: str) -> bool:
    """Whether it can be the name of a network interface."""
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and not set(text) & set("/ ")


INTERFACE = Shape("the name of a network interface", "names of network interfaces", is_interface)


@dataclass(frozen=True, slots=True)
class LanSettings:
    """How this node meets its household."""

    enabled: bool = setting(True, "Look for, and answer to, the other nodes of this household.", live=True, owner=True)
    interfaces: tuple[str, ...] = setting(
        (),
        "Network interfaces to use for that; empty: every one but those of containers and virtual machines.",
        owner=True,
        shape=INTERFACE,
    )
