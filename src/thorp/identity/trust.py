"""How far a caller is trusted. One ladder; the floor of a capability is a rung on it."""

from enum import IntEnum


class Trust(IntEnum):
    UNKNOWN = 0
    MEMBER = 1
    TRUSTED = 2
    ANCHOR = 3
    OWNER = 4  # only a local face can produce it

    @property
    def word(self) -> str:
        return self.name.lower()
