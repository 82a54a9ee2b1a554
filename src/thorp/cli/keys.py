"""`thorp keys`: API keys for programs and devices."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast
from urllib.parse import quote

import click

from thorp.base.clock import Clock, SystemClock
from thorp.base.errors import NoSpaceError, NotFoundError, UsageError
from thorp.base.moments import rfc3339, seconds_of
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import NotWrittenError, Output
from thorp.cli.when import when
from thorp.identity.scopes import Scope

SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([hdwy])")
SECONDS: Final = {"h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
MOMENTS: Final = frozenset({"created", "expires", "revoked"})


class BadExpiryError(UsageError):
    """An expiry that is neither a span nor a moment."""

    code = "cli.bad_expiry"


class NoSuchKeyError(NotFoundError):
    """No key has this id."""

    code = "cli.no_such_key"


class KeyNotShownError(NoSpaceError):
    """A key was made, and what would have shown it could not be written."""

    code = "cli.key_not_shown"


def _words(_context: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [word for word in (part.strip() for part in value.split(",")) if word]


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return None if value is None else moment(value, SystemClock())


def scopes_like(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What a shell may complete a list of scopes to: its last word, by one that is not there yet."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + one for one in Scope if one.startswith(last) and one not in before.split(",")]


@click.command
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    metavar="A,B",
    callback=_words,
    shell_complete=scopes_like,
    help="What the key opens; without it: inference.",
)
@click.option("--models", metavar="A,B", callback=_words, help="The only models it may use.")
@click.option("--rpm", type=click.IntRange(1), metavar="N", help="Requests a minute.")
@click.option(
    "--expires",
    metavar="WHEN",
    callback=_moment,
    help="A span such as 12h, 30d, 6w or 1y, or a moment as in RFC 3339.",
)
@pass_frame
def create(frame: Frame, **asked: object) -> None:
    """NAME says which program or device uses it. The key is printed now and never again."""
    body = {field: value for field, value in asked.items() if value is not None}
    key = frame.link().ask("POST", "/api/v1/keys", body)
    with shown_once(key["id"]):
        frame.output.show(key, draw_new)


@click.command
@pass_frame
def list_keys(frame: Frame) -> None:
    frame.output.show(frame.link().ask("GET", "/api/v1/keys"), draw_all)


@click.command
@click.argument("key_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@pass_frame
def revoke(frame: Frame, *, key_id: str, yes: bool, dry_run: bool) -> None:
    """It cannot be undone. ID is shown by `thorp keys list`."""
    link = frame.link()
    key = find(link.ask("GET", "/api/v1/keys")["keys"], key_id)
    if dry_run:
        frame.output.show({"would_revoke": key}, lambda output, _: output.line(f"Would revoke {title(key)}."))
        return
    frame.confirm(f"Revoke {title(key)}?", yes=yes)
    answer = link.ask("DELETE", f"/api/v1/keys/{quote(key_id, safe='')}")
    frame.output.show(answer, lambda output, _: output.done(f"Revoked {title(key)}."))


@contextmanager
def shown_once(key_id: str) -> Generator[None]:
    """Printing a key. Where that fails nobody will ever see it, and it opens the node all the same."""
    try:
        yield
    except (NotWrittenError, BrokenPipeError) as error:
        reason = error.message if isinstance(error, NotWrittenError) else "Nobody reads the output any more."
        raise KeyNotShownError(
            f"The key {key_id} was made, but could not be shown. {reason} "
            f"Revoke it with `thorp keys revoke {key_id}`, and make another one.",
            id=key_id,
        ) from error


def moment(text: str, clock: Clock) -> str:
    """The moment a span from now ends, or the moment that was named, in RFC 3339."""
    if span := SPAN.fullmatch(text):
        return rfc3339(clock.wall() + int(span[1]) * SECONDS[span[2]])
    try:
        return rfc3339(seconds_of(text))
    except (ValueError, OverflowError):
        raise BadExpiryError(
            f"`{text[:80]}` is no expiry. Use a span such as `30d`, or a moment such as `2027-01-31T12:00:00Z`."
        ) from None


def find(keys: list[dict[str, Any]], key_id: str) -> dict[str, Any]:
    for key in keys:
        if key["id"] == key_id:
            return key
    raise NoSuchKeyError(f"No key has the id `{key_id[:80]}`. `thorp keys list` shows them all.", id=key_id[:80])


def title(key: dict[str, Any]) -> str:
    return f"the key `{key['name']}` ({key['id']})"


def draw_new(output: Output, key: dict[str, Any]) -> None:
    output.line(key["key"])
    output.note(f"This is {title(key)}. It is shown only now; keep it in a safe place.")


def draw_all(output: Output, answer: dict[str, Any]) -> None:
    if not answer["keys"]:
        output.note("There are no keys. `thorp keys create NAME` makes one.")
        return
    titles = ("id", "name", "scopes", "models", "rpm", "created", "expires", "revoked")
    output.table(titles, [[cell(one, key[one]) for one in titles] for key in answer["keys"]])


def cell(name: str, value: Any) -> Any:
    if name in MOMENTS:
        return when(value)
    return ", ".join(cast("list[str]", value)) if isinstance(value, list) else value
