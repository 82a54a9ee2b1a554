"""What a shell may complete a ref to: names of models that are here, quickly or not at all."""

import threading
from contextlib import suppress
from typing import Final

import click

from thorp.base.errors import ThorpError
from thorp.cli.frame import Frame

BUDGET: Final = 0.2  # seconds; a shell that waits longer for a word is a nuisance


def refs_like(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Ids and aliases of this home's models, read from the disk; no node is asked."""
    frame = context.ensure_object(Frame)
    found: list[str] = []

    def look() -> None:
        with suppress(ThorpError, OSError, ValueError):
            for row in frame.here.library(frame.paths(), frame.environment)["models"]:
                found.extend((row["model_id"], *row["aliases"]))

    reader = threading.Thread(target=look, daemon=True)
    reader.start()
    reader.join(BUDGET)
    return sorted({one for one in tuple(found) if one.startswith(incomplete)})
