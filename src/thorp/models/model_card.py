"""What a repository says of itself at the head of its README. Pure."""

import re
from dataclasses import dataclass

_LICENSE = re.compile(r"^license:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9.+-]{0,60})[\"']?[ \t]*$", re.MULTILINE)
_GATED = re.compile(r"^extra_gated_", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Card:
    """What a repository says of itself."""

    license: str | None = None
    gated: bool = False


def read_card(text: str) -> Card:
    """What the head of a model card says."""
    text = text.replace("\r\n", "\n")
    head = text[4:].partition("\n---")[0] if text.startswith("---\n") else ""
    license_ = _LICENSE.search(head)
    return Card(license_[1].lower() if license_ else None, _GATED.search(head) is not None)
