"""`thorp models verify`, `repair`, `rm`, `prune`: whether the files are whole, and which of them go."""

from typing import Any, Final

import click

from thorp.base.amounts import size
from thorp.base.errors import IntegrityError, UsageError
from thorp.cli.amounts import age_of
from thorp.cli.completing import refs_like
from thorp.cli.following import worked
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output

DAMAGED: Final = IntegrityError.exit_code
Row = dict[str, Any]


class WhichModelError(UsageError):
    """Neither one model nor all were named, or both."""

    code = "cli.which_model"


def _age(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    return None if value is None else age_of(value)


@click.command
@click.argument("ref", metavar="[REF]", required=False, shell_complete=refs_like)
@click.option("--all", "every", is_flag=True, help="Instead of one: every model.")
@pass_frame
def verify(frame: Frame, *, ref: str | None, every: bool) -> int:
    """Every byte is read and compared with the receipt. Exit code 6 if something differs."""
    if (ref is not None) is every:
        raise WhichModelError("Name one model, or use `--all`. `thorp models` shows them all.")
    with frame.models() as caller:
        answer = worked(frame, caller.stream("library.verify", **({} if ref is None else {"ref": ref})), "verifying")
    frame.output.show(answer, draw_verified)
    return 0 if answer["ok"] else DAMAGED


@click.command
@click.argument("ref", shell_complete=refs_like)
@pass_frame
def repair(frame: Frame, *, ref: str) -> int:
    """What is whole stays. Exit code 6 if something is still wrong afterwards."""
    with frame.models() as caller:
        answer = worked(frame, caller.stream("library.repair", ref=ref), "repairing")
    frame.output.show(answer, draw_repaired)
    return 0 if answer["ok"] else DAMAGED


@click.command
@click.argument("ref", shell_complete=refs_like)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@pass_frame
def remove(frame: Frame, *, ref: str, yes: bool, dry_run: bool) -> None:
    """Refused while something uses it. Bytes that another model shares stay."""
    removed(frame, "library.remove", {"ref": ref}, yes=yes, dry_run=dry_run)


@click.command
@click.option("--older-than", metavar="AGE", callback=_age, help="Models unused for that long go, too; such as 30d.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@pass_frame
def prune(frame: Frame, *, older_than: int | None, yes: bool, dry_run: bool) -> None:
    """Unfinished and quarantined files that nothing uses, and revisions that a newer one replaced."""
    given: dict[str, object] = {} if older_than is None else {"older_than": older_than}
    removed(frame, "library.prune", given, yes=yes, dry_run=dry_run)


def removed(frame: Frame, name: str, given: dict[str, object], *, yes: bool, dry_run: bool) -> None:
    """Remove, after the person has seen what."""
    with frame.models() as caller:
        answer: Row = {"removed": (), "freed_bytes": 0, "dry_run": True}
        if dry_run or not yes:
            answer = caller.call(name, **given, dry_run=True)
        if not dry_run and not yes and answer["removed"]:
            if not frame.options.json:
                draw_rows(frame.output, answer)
            frame.confirm(f"Remove {named(answer)}?", yes=False)
        if not dry_run and (yes or answer["removed"]):
            answer = caller.call(name, **given)
    frame.output.show(answer, draw_removed)


def named(answer: Row) -> str:
    rows = answer["removed"]
    what = f"{rows[0]['what']} ({rows[0]['ref']})" if len(rows) == 1 else f"{len(rows)} things"
    return f"{what}, {size(answer['freed_bytes'])}"


def draw_removed(output: Output, answer: Row) -> None:
    if not answer["removed"]:
        output.done("There is nothing to remove.")
    elif answer["dry_run"]:
        draw_rows(output, answer)
        output.done(f"Would remove {named(answer)}.")
    else:
        output.done(f"Removed {named(answer)}.")


def draw_rows(output: Output, answer: Row) -> None:
    titles = ("what", "ref", "frees", "why")
    output.table(titles, [(one["what"], one["ref"], size(one["bytes"]), one["reason"]) for one in answer["removed"]])


def draw_verified(output: Output, answer: Row) -> None:
    for model in answer["models"]:
        draw_problems(output, model)
        if not model["ok"]:
            output.note(f"`thorp models repair {model['ref']}` fetches only what is wrong.")
    whole = [model for model in answer["models"] if model["ok"]]
    if len(answer["models"]) == 1 and whole:
        output.done(f"{whole[0]['model_id']} is whole.")
    else:
        output.done(f"{len(whole)} of {len(answer['models'])} models are whole.")


def draw_problems(output: Output, model: Row) -> None:
    for file in model["files"]:
        if not file["ok"]:
            pieces = f", {len(file['bad_pieces'])} of its pieces" if file["bad_pieces"] else ""
            output.prose(f"{model['model_id']}: {file['path']}: {file['problem']}{pieces}")


def draw_repaired(output: Output, answer: Row) -> None:
    draw_problems(output, answer)
    if not answer["ok"]:
        output.warn(f"{answer['model_id']} is still not whole. Try again later, or remove it and pull it anew.")
    elif all(file["ok"] for file in answer["files"]):
        output.done(f"{answer['model_id']} was whole; nothing was fetched.")
    else:
        output.done(f"{answer['model_id']} is whole again; {size(answer['fetched'])} were fetched.")
