"""`thorp pull`: a model out of a few words, whole and verified, or an error that says why not."""

import shlex
from typing import Any, Final

import click

from thorp.base.amounts import size
from thorp.base.clock import Clock, SystemClock
from thorp.base.errors import ThorpError
from thorp.cli.amounts import rate_of, span
from thorp.cli.caller import Caller
from thorp.cli.choosing import Asked, Meant, draw_plan, meant, terms
from thorp.cli.completing import refs_like
from thorp.cli.following import Watch, follow, may_leave
from thorp.cli.frame import Frame, pass_frame

SOURCES: Final = ("hub", "lan", "swarm")
Row = dict[str, Any]


def _rate(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    return None if value is None else rate_of(value)


@click.command
@click.argument("ref", shell_complete=refs_like)
@click.option("--quant", metavar="Q", help="Which quantisation, for example q4_k_m.")
@click.option("--revision", metavar="R", help="A branch, a tag or a commit; without it: the newest.")
@click.option("--from", "source", type=click.Choice(SOURCES), help="Get it only from there.")
@click.option("--limit", metavar="RATE", callback=_rate, help="Bytes a second, such as 500k or 10M.")
@click.option("--dry-run", is_flag=True, help="Only say what would be pulled.")
@click.option("--yes", is_flag=True, help="Do not ask; take the most downloaded one, as recommended.")
@click.option("--no-start", is_flag=True, help="Leave a stopped node stopped afterwards.")
@pass_frame
def pull(
    frame: Frame,
    *,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    no_start: bool,
    **words: Any,
) -> None:
    """REF: a few words (`mistral`), `org/repo`, `org/repo:quant`, `org/repo/FILE.gguf`, its web address, an id.

    After a break, the same command goes on where it was.
    """
    asked = Asked(**words)
    if dry_run:
        plan(frame, asked, yes=yes)
    elif found := complete(frame, asked):
        tell(frame, found, None)
    elif fetched(frame, asked, limit, yes=yes) and not no_start:
        start_node(frame)


def plan(frame: Frame, asked: Asked, *, yes: bool) -> None:
    with frame.models() as caller:
        found = meant(frame, caller, asked, yes=yes)
    frame.output.show(found.answer, lambda output, _: draw_plan(output, found))


def complete(frame: Frame, asked: Asked) -> Row | None:
    """It, if it is here already and no node runs that would say so."""
    if asked.source or not frame.is_alone():
        return None
    return frame.here.complete(frame.paths(), frame.environment, asked.ref, asked.quant, asked.revision)


def fetched(frame: Frame, asked: Asked, limit: int | None, *, yes: bool) -> bool:
    """Pull it. Answers whether this very process fetched it."""
    clock: Clock = SystemClock()
    with may_leave(frame) as watch:
        with frame.models() as caller:
            watch.here = caller.here
            found = meant(frame, caller, asked, yes=yes)
            announce(frame, found)
            began = clock.monotonic()
            pulled = begun(caller, found, watch, limit=limit, yes=yes)
            if watch.transfer_id:
                row = follow(frame, caller, watch)
                pulled |= {"state": row["state"], "size_bytes": row["total"] or pulled["size_bytes"]}
        tell(frame, pulled, clock.monotonic() - began if watch.transfer_id else None)
    return watch.here and bool(watch.transfer_id)


def begun(caller: Caller, found: Meant, watch: Watch, **more: object) -> Row:
    """What `model.pull` says: where nobody chose, that the ref is ambiguous."""
    wanted = {name: value for name, value in more.items() if value}
    pulled = caller.call("model.pull", **found.asked.given(**wanted))
    watch.ref, watch.transfer_id = pulled["ref"], pulled["transfer_id"] or ""
    return pulled


def announce(frame: Frame, found: Meant) -> None:
    """On what terms, before a byte flows."""
    choice = found.choice
    if choice is None or found.answer["in_library"] or frame.options.json:
        return
    frame.output.note(f"{choice['ref']}: {size(choice['size_bytes'])}, {terms(found.answer)}.")
    if choice["fit"] == "too big":
        frame.output.warn("It is larger than this machine's memory, so it will not run here.")


def tell(frame: Frame, pulled: Row, seconds: float | None) -> None:
    """The last line: only what is whole gets here."""
    if frame.options.json:
        took = {} if seconds is None else {"seconds": round(seconds, 3)}
        frame.output.json(pulled | took, indent=None)
        return
    what = f"{pulled['model_id']}, {size(pulled['size_bytes'])}"
    how = f"Here already: {what}" if seconds is None else f"Pulled {what}, in {span(seconds)}"
    frame.output.done(f"{how}. `thorp models show {shlex.quote(pulled['ref'])}` says where it lies.")


def start_node(frame: Frame) -> None:
    """So that what is here can be used and shared. It is a kindness: if it fails, the pull did not."""
    if not frame.output.interactive or frame.options.json:
        return
    try:
        if not frame.here.starts_by_itself(frame.paths(), frame.environment):
            return
        address = frame.here.start(frame.paths())
    except ThorpError as error:
        frame.output.note(f"The node could not be started: {error.message}")
    else:
        frame.output.note(f"The node runs in the background now, at {address}. `thorp down` stops it.")
