"""`thorp share` and `thorp unshare`: who else may have the models of this node."""

import os
from pathlib import Path
from typing import Any, Final

import click

from thorp.base.amounts import size
from thorp.base.errors import UsageError
from thorp.cli.caller import Caller
from thorp.cli.completing import refs_like
from thorp.cli.following import worked
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output

PLACES: Final = ("/", "./", "../", "~")
UNITS: Final = {"kib": "k", "mib": "m", "gib": "g", "kb": "k", "mb": "m", "gb": "g", "k": "k", "m": "m", "g": "g"}
POWERS: Final = {"k": 10, "m": 20, "g": 30}
Row = dict[str, Any]


class NothingToShareError(UsageError):
    """A share of nothing, or of two things at once."""

    code = "cli.nothing_to_share"


class BadPieceLengthError(UsageError):
    """A length of pieces that is none."""

    code = "cli.bad_piece_length"


class BadHintError(UsageError):
    """A hint without a value."""

    code = "cli.bad_hint"


def _piece(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Torrents count in powers of two, and so do their users when they write 4MB."""
    if value is None:
        return None
    text = value.strip().casefold()
    unit = next((UNITS[one] for one in UNITS if text.endswith(one)), "")
    number = text.rstrip("kmgib ") if unit else text
    if not number.isascii() or not number.isdigit():
        raise BadPieceLengthError(f"`{value[:40]}` is no length of pieces. One looks like 4MB.")
    return int(number) << POWERS.get(unit, 0)


def _hints(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [one for one, (name, equals, _) in zip(given, pairs, strict=True) if not (name and equals)]:
        raise BadHintError(f"`{wrong[0][:80]}` is no hint. One looks like `temperature=0.7`.")
    return {name: value for name, _, value in pairs}


@click.command
@click.argument("what", required=False, default="", metavar="REF | PATH | GIT-URL", shell_complete=refs_like)
@click.option("--all", "every", is_flag=True, help="Every model of this node that may be shared.")
@click.option("--name", metavar="ORG/MODEL", help="What to publish a folder or a repository as.")
@click.option("--license", "licence", metavar="L", help="For example apache-2.0; a folder needs one.")
@click.option("--version", metavar="V", help="What to call this version.")
@click.option("--branch", metavar="B", help="Of the repository.")
@click.option(
    "--depth",
    type=click.IntRange(0),
    metavar="N",
    help="How many commits of the repository to clone; 0: all. Usually 1.",
)
@click.option("--skip-lfs", is_flag=True, help="Leave out what the repository keeps in Git LFS.")
@click.option("--copy", is_flag=True, help="Copy where files can be neither cloned nor linked.")
@click.option("--public", is_flag=True, help="With everybody on the internet, not only with the household.")
@click.option("--piece-length", metavar="SIZE", callback=_piece, help="Of a public torrent, such as 4MB.")
@click.option("--sign/--no-sign", default=True, help="Write and sign a manifest. Usual.")
@click.option("--skip-dht", is_flag=True, help="Do not announce a public torrent in the DHT.")
@click.option("--no-monitor", is_flag=True, help="Do not stay to watch who takes it; `thorp share` never does.")
@click.option("--description", metavar="WORDS", help="What the manifest says about it.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A word to find it by; may stand several times.")
@click.option("--hint", "hints", multiple=True, metavar="NAME=VALUE", callback=_hints, help="A setting to run it with.")
@click.option("--yes", is_flag=True, help="Do not ask before sharing with everybody.")
@pass_frame
def share(frame: Frame, *, what: str, every: bool, yes: bool, **words: Any) -> int:
    """REF is a model that is here, PATH a file or folder, GIT-URL the full address of a repository.

    Sharing again without `--public` ends sharing with everybody.
    """
    given = wanted(what, every=every, words=words)
    with frame.models() as caller:
        if given.get("public") and not yes:
            ask(frame, caller, what or "every model", given)
        answer = worked(frame, caller.stream("model.share", **given), "sharing")
    frame.output.show(answer, draw_shared)
    return 0 if answer["shared"] else 1


@click.command
@click.argument("ref", shell_complete=refs_like)
@pass_frame
def unshare(frame: Frame, *, ref: str) -> None:
    """Nobody gets another byte of it from this node. What others have fetched stays theirs."""
    with frame.models() as caller:
        answer = caller.call("model.unshare", ref=ref)
    frame.output.show(answer, draw_unshared)


def wanted(what: str, *, every: bool, words: Row) -> Row:
    """The request behind the words of a person; what was not said is left out."""
    if every == bool(what):
        raise NothingToShareError("Say one thing to share: a model, a path, the address of a repository, or `--all`.")
    given: Row = {"all": True} if every else source_of(what, named=bool(words["name"]))
    told = {
        "name": words["name"],
        "license": words["licence"],
        "version": words["version"],
        "branch": words["branch"],
        "depth": words["depth"],
        "piece_length": words["piece_length"],
        "description": words["description"],
        "tags": list(words["tags"]) or None,
        "hints": words["hints"] or None,
    }
    flags = {name: True for name in ("skip_lfs", "copy", "public", "skip_dht") if words[name]}
    unsigned = {} if words["sign"] else {"sign": False}
    return given | {name: value for name, value in told.items() if value is not None} | flags | unsigned


def source_of(what: str, *, named: bool) -> Row:
    """What kind of thing is meant: a full address is cloned, a name asks for a path, anything else is a ref."""
    from thorp.models.git_plan import looks_like_git

    if looks_like_git(what):
        return {"git": what}
    if named or what.startswith(PLACES):
        return {"path": str(there(Path(what).expanduser().absolute()))}
    return {"ref": what}


def there(path: Path) -> Path:
    """A mistyped path is told before anything that is missing beside it."""
    from thorp.models.own_folder import nothing_at

    if not os.path.lexists(path):
        raise nothing_at(path)
    return path


def ask(frame: Frame, caller: Caller, what: str, given: Row) -> None:
    """Before everybody may have it. What is gated nobody gets, so there is nothing to ask."""
    known = caller.call("library.show", ref=given["ref"]) if "ref" in given else {}
    if not known.get("gated"):
        licence = given.get("license") or known.get("license")
        frame.confirm(question(what, licence, git="git" in given), yes=False)


def question(what: str, licence: str | None, *, git: bool) -> str:
    under = licence or ("as its repository says" if git else "nobody said which")
    return (
        f"Share {what} with everybody on the internet, under its licence ({under})? Others learn the address of this "
        "machine, and what they fetched cannot be taken back."
    )


def draw_shared(output: Output, answer: Row) -> None:
    for one in answer["skipped"]:
        output.note(f"Left out: {one['path']}: {one['reason']}")
    if not answer["shared"]:
        output.note("Nothing was shared.")
        return
    titles = ("id", "name", "size", "licence", "with", "signed")
    rows = [
        (
            one["model_id"],
            one["name"],
            size(one["size_bytes"]),
            one["license"] or "unknown",
            "everybody" if one["public"] else "the household",
            "yes" if one["signed"] else "no",
        )
        for one in answer["shared"]
    ]
    output.table(titles, rows)
    for magnet in (magnet for one in answer["shared"] for magnet in one.get("magnets", ())):
        output.line(magnet)  # to be copied, so it stays one line


def draw_unshared(output: Output, answer: Row) -> None:
    output.done(f"{answer['model_id']} is not shared any more.")
    if answer["was_public"]:
        output.note("Copies that others have fetched stay theirs.")
