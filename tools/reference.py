"""Writes docs/reference from the declarations in the code; with `--check`, only says which page has drifted."""

import sys
from pathlib import Path

from tools.pages import capabilities, changes, cli, errors, openapi, rest, settings
from tools.pages.page import Page

FOLDER = Path(__file__).parents[1] / "docs/reference"
PAGES: tuple[Page, ...] = (
    capabilities.PAGE,
    changes.PAGE,
    cli.PAGE,
    errors.PAGE,
    rest.PAGE,
    settings.PAGE,
    openapi.PAGE,
)


def drifted(folder: Path) -> list[Page]:
    """Pages that are not what the declarations say."""
    return [page for page in PAGES if read(folder / page.file) != page.text()]


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for page in drifted(folder):
        (folder / page.file).write_text(page.text(), encoding="utf-8")
        print(f"wrote {folder.name}/{page.file}")


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        write(FOLDER)
        return 0
    stale = drifted(FOLDER)
    for page in stale:
        print(f"docs/reference/{page.file} does not say what the code says; run script/docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
