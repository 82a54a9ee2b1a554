"""Text from elsewhere, made fit for a terminal: control characters are shown, not sent."""

import json


def printable(text: str) -> str:
    """The text with everything that could move a cursor or change a colour spelled out. Line breaks and tabs stay."""
    return "".join(one if one.isprintable() or one in "\n\t" else repr(one)[1:-1] for one in text)


def printable_json(text: str) -> str:
    """JSON that says the same, with all of that as escapes; by itself JSON spells out only half of them."""
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
