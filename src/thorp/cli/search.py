"""`thorp search`: models on the hub, and among neighbours."""

from typing import Any, Final

import click

from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when

MOST: Final = 100
THOUSAND: Final = 1000
TEN: Final = 10
POWERS: Final = ("", "k", "M", "B", "T")


@click.command
@click.argument("words", metavar="QUERY", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, MOST), default=20, metavar="N", help="How many at most.")
@click.option("--lan", is_flag=True, help="Look at what the neighbours have; no hub is asked.")
@pass_frame
def search(frame: Frame, *, words: tuple[str, ...], limit: int, lan: bool) -> None:
    """Only repositories with files that Thorp can run, most downloaded first. `thorp pull REPO` fetches one."""
    where: dict[str, Any] = {"from": "lan"} if lan else {}
    with frame.models() as caller:
        found = caller.call("hub.search", q=" ".join(words), limit=limit, **where)
    frame.output.show(found, draw_near if lan else draw)


def draw(output: Output, found: dict[str, Any]) -> None:
    if not found["results"]:
        output.note(f"{found['hub']} has no repository with GGUF files by this name. Try fewer words.")
        return
    titles = ("repo", "downloads", "parameters", "licence", "changed", "gated")
    output.table(titles, [cells(hit) for hit in found["results"]])


def draw_near(output: Output, found: dict[str, Any]) -> None:
    if not found["results"]:
        output.note("No neighbour that is here now has a model by this name. `thorp lan peers` lists who is here.")
        return
    output.table(
        ("repo", "quants", "parameters", "licence", "who has it"), [near_cells(hit) for hit in found["results"]]
    )


def near_cells(hit: dict[str, Any]) -> tuple[str, ...]:
    quants, who = ", ".join(hit["quants"]), ", ".join(hit["neighbours"])
    return hit["repo"], quants, counted(hit["parameters"]), hit["license"] or "", who


def cells(hit: dict[str, Any]) -> tuple[str, ...]:
    changed = when(hit["updated"]).partition(" ")[0]
    gated = "yes" if hit["gated"] else ""
    return hit["repo"], counted(hit["downloads"]), counted(hit["parameters"]), hit["license"] or "", changed, gated


def counted(many: int | None) -> str:
    """A large number in three or four characters; none where nobody knows it."""
    if many is None:
        return ""
    amount, power = float(many), 0
    while round(amount, 1) >= THOUSAND and power < len(POWERS) - 1:
        amount, power = amount / THOUSAND, power + 1
    digits = 1 if power and round(amount, 1) < TEN else 0
    return f"{amount:.{digits}f}".removesuffix(".0") + POWERS[power]
