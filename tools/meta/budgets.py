"""Length budgets. A smoke alarm, not a goal: what is too long hides a noun or a second thought."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.meta.source import functions, python_files, syntax, text_of

LONGEST_FUNCTION = 60
LONGEST_FILE = 700
MOST_FUNCTIONS = 25  # nine in ten are no longer
MOST_FILES = 400


def function_lengths(root: Path, folders: Iterable[str]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for path in (path for folder in folders for path in python_files(root / folder)):
        for function in functions(syntax(path)):
            name = f"{path.relative_to(root)}:{function.name}"
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            lengths[name] = max(length, lengths.get(name, 0))
    return lengths


def file_lengths(root: Path, files: Iterable[Path]) -> dict[str, int]:
    return {str(path.relative_to(root)): (text_of(path) or "").count("\n") for path in files}


def above(lengths: Mapping[str, int], limit: int) -> dict[str, str]:
    return {name: f"has {length} lines; {limit} are allowed" for name, length in lengths.items() if length > limit}


def nine_in_ten(lengths: Iterable[int]) -> int:
    """The length that nine in ten do not exceed."""
    ordered = sorted(lengths)
    return ordered[-(-len(ordered) * 9 // 10) - 1] if ordered else 0
