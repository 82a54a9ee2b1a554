"""The word a person probably meant."""

import difflib
from collections.abc import Callable, Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None when none is close."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], meaning: Callable[[str], str] = str) -> str:
    """A sentence to append to an error message, or nothing. `meaning` is what a known word stands for."""
    near = nearest(word, known)
    return f" Did you mean `{meaning(near)}`?" if near else ""
