"""The list of tolerated exceptions. It may only shrink: one that is no longer needed is itself a finding."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

Excuses = Mapping[str, str]


def read(path: Path, table: str) -> dict[str, str]:
    """One table of the exceptions file: what is excused, and why."""
    return tomllib.loads(path.read_text(encoding="utf-8")).get(table, {})


def judged(found: Mapping[str, str], excused: Excuses) -> list[str]:
    """Findings nobody excused, then excuses nobody needs or nobody explained."""
    unexcused = [f"{subject}: {problem}" for subject, problem in found.items() if subject not in excused]
    unneeded = [f"{subject}: needs no exception now; take it off the list" for subject in excused.keys() - found]
    unexplained = [
        f"{subject}: an exception needs a reason" for subject, reason in excused.items() if not reason.strip()
    ]
    return unexcused + sorted(unneeded) + unexplained
