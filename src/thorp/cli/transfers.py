"""`thorp transfers`: models on their way, watched and steered from anywhere."""

from typing import Any, Final

import click

from thorp.base.amounts import size
from thorp.cli.amounts import rate, rate_of, span
from thorp.cli.following import follow, may_leave
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when

ENDED: Final = frozenset({"done", "cancelled"})
CARRIED: Final = frozenset({"queued", "resolving", "active", "verifying"})
LETTERS: Final = {"h": "hub", "l": "neighbours", "s": "public swarm", "o": "here before", ".": "missing"}
IN_A_LINE: Final = 64  # pieces
Row = dict[str, Any]


def _rate(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    return rate_of(value)


@click.command
@pass_frame
def list_transfers(frame: Frame) -> None:
    """Newest first: those under way, and the last hundred that ended."""
    frame.output.show(called(frame, "transfer.list"), draw_all)


@click.command
@click.argument("transfer_id", metavar="ID")
@pass_frame
def show(frame: Frame, *, transfer_id: str) -> None:
    """ID is shown by `thorp transfers`."""
    frame.output.show(called(frame, "transfer.show", id=transfer_id), lambda output, row: output.facts(facts(row)))


@click.command
@click.argument("transfer_id", metavar="ID")
@pass_frame
def pause(frame: Frame, *, transfer_id: str) -> None:
    """What has been fetched stays; `thorp transfers resume` goes on with it."""
    frame.output.show(called(frame, "transfer.pause", id=transfer_id), draw_state)


@click.command
@click.argument("transfer_id", metavar="ID")
@pass_frame
def resume(frame: Frame, *, transfer_id: str) -> None:
    """Also one that failed. Where no node runs, the command stays until it is done."""
    with may_leave(frame) as watch, frame.models() as caller:
        row = caller.call("transfer.resume", id=transfer_id)
        watch.transfer_id, watch.ref, watch.here = row["id"], row["ref"], caller.here
        if caller.here:
            row = follow(frame, caller, watch)
    if caller.here and frame.options.json:
        return  # it was told line by line
    frame.output.show(row, draw_state)


@click.command
@click.argument("transfer_id", metavar="ID")
@click.option("--keep-partial", is_flag=True, help="Keep what has been fetched, for another pull.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_frame
def cancel(frame: Frame, *, transfer_id: str, keep_partial: bool, yes: bool, dry_run: bool) -> None:
    """What it has fetched is removed, unless that is to be kept."""
    with frame.models() as caller:
        if dry_run or not yes:
            row = caller.call("transfer.show", id=transfer_id)
            fate = f"{size(row['done'])} that it has fetched {'stay' if keep_partial else 'go'}"
            if dry_run:
                told = f"Would cancel {row['ref']}: {fate}."
                frame.output.show({"would_cancel": row}, lambda output, _: output.line(told))
                return
            frame.confirm(f"Cancel {row['ref']}? The {fate}.", yes=False)
        answer = caller.call("transfer.cancel", id=transfer_id, keep_partial=keep_partial)
    frame.output.show(answer, draw_state)


@click.command
@click.argument("wanted", metavar="RATE", callback=_rate)
@click.argument("transfer_id", metavar="[ID]", required=False)
@pass_frame
def limit(frame: Frame, *, wanted: int, transfer_id: str | None) -> None:
    """RATE is bytes a second, such as 500k or 10M; `none` is no limit. Without ID it holds for all together."""
    if transfer_id is None:
        answer = called(frame, "transfer.limit_all", rate=wanted)
        frame.output.show(answer, lambda output, told: output.done(f"All transfers: {limited(told['limit'])}."))
    else:
        answer = called(frame, "transfer.limit", id=transfer_id, rate=wanted)
        frame.output.show(answer, lambda output, row: output.done(f"{row['ref']}: {limited(row['limit'])}."))


def called(frame: Frame, name: str, /, **given: object) -> Row:
    with frame.models() as caller:
        return caller.call(name, **given)


def limited(most: int) -> str:
    return f"at most {rate(most)}" if most else "no limit"


def draw_all(output: Output, answer: Row) -> None:
    if not answer["transfers"]:
        output.note("Nothing is on its way. `thorp pull REF` fetches a model.")
        return
    titles = ("id", "model", "state", "done", "left")
    output.table(titles, [cells(row) for row in answer["transfers"]])
    if answer["limit"]:
        output.note(f"All together: {limited(answer['limit'])}.")


def cells(row: Row) -> tuple[str, ...]:
    left = span(row["eta"]) if row["state"] == "active" and row["eta"] is not None else ""
    return row["id"], row["model_id"], row["state"], part(row), left


def part(row: Row) -> str:
    """How far it is; 100 % is all of it."""
    if not row["total"] or row["state"] in ENDED:
        return size(row["done"])
    return f"{row['done'] * 100 // row['total']} % of {size(row['total'])}"


def amount(row: Row) -> str:
    if not row["total"] or row["state"] in ENDED:
        return size(row["done"])
    return f"{size(row['done'])} of {size(row['total'])}"


def facts(row: Row) -> list[tuple[str, str]]:
    error = row["error"]
    by_source = sorted(row["by_source"].items(), key=lambda one: -one[1])
    return [
        ("id", row["id"]),
        ("ref", row["ref"]),
        ("model", row["model_id"]),
        ("repo", row["repo"]),
        ("revision", row["revision"]),
        ("state", ": ".join(filter(None, (row["state"], row["note"])))),
        ("done", amount(row)),
        ("rate", rate(row["rate"]) if row["state"] == "active" else ""),
        ("left", span(row["eta"]) if row["eta"] is not None else ""),
        *(("from", f"{name}  {size(count)}") for name, count in by_source if count),
        *(("pieces", line) for line in drawn(row["pieces"])),
        ("limit", limited(row["limit"]) if row["limit"] else ""),
        ("carried by", "another process on this machine" if row["state"] in CARRIED and not row["here"] else ""),
        ("began", when(row["created"])),
        ("changed", when(row["updated"])),
        ("error", f"{error['message']} ({error['code']})" if error else ""),
    ]


def drawn(pieces: str) -> list[str]:
    """The file on its way, piece by piece, and what its letters mean."""
    meant = ", ".join(f"{letter} {name}" for letter, name in LETTERS.items() if letter in pieces)
    return [*(pieces[at : at + IN_A_LINE] for at in range(0, len(pieces), IN_A_LINE)), *((meant,) if meant else ())]


def draw_state(output: Output, row: Row) -> None:
    output.done(f"{row['ref']} is {row['state']}, {amount(row)}.")
