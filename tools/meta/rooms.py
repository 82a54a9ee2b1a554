"""ARCHITECTURE.md lists exactly the packages that exist.

A room is listed by a table row whose first or second cell is nothing but its name in backticks: "| 4 | `bus` | …".
"""

import re
from pathlib import Path

ROW = re.compile(r"^\|(?:[^|`]*\|)? *`([a-z_]+)` *\|", re.MULTILINE)


def listed_rooms(page: str) -> set[str]:
    return set(ROW.findall(page))


def built_rooms(package: Path) -> set[str]:
    return {path.parent.name for path in package.glob("*/__init__.py")}


def differences(page: str, package: Path) -> list[str]:
    listed, built = listed_rooms(page), built_rooms(package)
    unlisted = [f"ARCHITECTURE.md does not list the package `{room}`" for room in sorted(built - listed)]
    return unlisted + [f"ARCHITECTURE.md lists `{room}`, which is not there" for room in sorted(listed - built)]
