"""Checks the types of the dashboard and runs its tests, with the npm that also builds it."""

import sys
from pathlib import Path

from hatch_build import DashboardError, find_npm, run_npm, webui


def check(folder: Path) -> str:
    """What is wrong with the dashboard in `folder`; nothing when all is well."""
    npm = find_npm()
    if npm is None:
        return "no Node was found; script/setup brings one"
    try:
        if not (folder / "node_modules").is_dir():
            run_npm(npm, folder, "ci", "--include=dev", "--no-audit", "--no-fund")
        run_npm(npm, folder, "test")
    except DashboardError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(check(webui(Path(__file__).parents[1])) or 0)
