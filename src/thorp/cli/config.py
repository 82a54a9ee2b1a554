"""`thorp config`: the owner's settings, with or without a running node."""

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import click

from thorp.app.config import (
    ConfigFile,
    Effective,
    NotTomlError,
    Sources,
    check,
    evaluate,
    flat,
    load,
    read_table,
    sources_of,
)
from thorp.app.keeper import change_file
from thorp.app.settings import KEYS
from thorp.app.shelf import folder_here
from thorp.base.errors import ThorpError, UsageError
from thorp.base.files import DISK, explaining
from thorp.base.settings import lookup
from thorp.cli.answered import exit_code_of, told_of
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output

WRONG = 2
UNCHANGED = "Nothing has changed for the running node."


class NoEditorError(UsageError):
    """Nobody said which editor to use."""

    code = "cli.no_editor"


class EditorFailedError(UsageError):
    """The editor ended badly, or did not start."""

    code = "cli.editor_failed"


class EditNotTakenError(UsageError):
    """What was edited is not in force; code and exit code are those of the reason."""

    code = "cli.edit_not_taken"


@click.command
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@pass_frame
def show(frame: Frame, *, origin: bool) -> None:
    """Of the running node if there is one, else from the disk. What is printed could be a settings file."""
    frame.output.show(current(frame), lambda output, answer: draw(output, answer, origin=origin))


def settings_like(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What a shell may complete a setting's name to; no node is asked."""
    return [key for key in KEYS if key.startswith(incomplete)]


@click.command
@click.argument("key", shell_complete=settings_like)
@pass_frame
def get(frame: Frame, *, key: str) -> None:
    """With --json, also its default, its origin and what it is for."""
    if link := frame.running_link():
        row = link.ask("GET", path_of(key))
    else:
        lookup(KEYS, key)
        row = next(row for row in current(frame)["settings"] if row["key"] == key)
    frame.output.show(row, lambda output, data: output.line(shown(data["value"])))


@click.command
@click.argument("key", shell_complete=settings_like)
@click.argument("value")
@pass_frame
def set_value(frame: Frame, *, key: str, value: str) -> None:
    """Lists are written with commas: `thorp config set local.hosts attic.lan,attic`."""
    if link := frame.running_link():
        tell(frame, of_key(key, link.ask("PUT", path_of(key), {"value": value})))
    else:
        change_on_disk(frame, key, value)


@click.command
@click.argument("key", shell_complete=settings_like)
@pass_frame
def unset(frame: Frame, *, key: str) -> None:
    """Its default holds again. A key that Thorp does not know is taken out as well."""
    absent = f"`{key}` is not in the file." if is_absent(frame, key) else ""
    if link := frame.running_link():
        tell(frame, of_key(key, link.ask("DELETE", path_of(key))), absent or UNCHANGED)
    else:
        change_on_disk(frame, key, None, absent)


@click.command
@pass_frame
def check_file(frame: Frame) -> int:
    """The file, the variables and their values, without starting anything. Exit code 2 if something is wrong."""
    file = file_of(frame)
    effective, problems = check(sources_of(file, frame.environment))
    answer = {
        "file": str(file.path),
        "problems": [told_of(problem)["error"] for problem in problems],
        "warnings": list(effective.warnings),
    }
    frame.output.show(answer, draw_check)
    return WRONG if problems else 0


@click.command
@pass_frame
def paths(frame: Frame) -> None:
    named = frame.paths().named() | {"models": folder_here(frame.paths(), frame.environment)}
    places = {name: str(path) for name, path in named.items()}
    frame.output.show(places, lambda output, data: output.facts(data.items()))


@click.command
@pass_frame
def edit(frame: Frame) -> None:
    """In the editor of VISUAL or EDITOR. A text with mistakes is not taken, and kept apart for another try."""
    editor = editor_of(frame)
    file = file_of(frame)
    before = file.read()
    with draft_of(before or "") as draft:
        run_editor(editor, draft)
        sources = Sources(ConfigFile(draft, DISK).read() or "", str(draft), frame.environment.overrides)
        if sources.text == (before or ""):
            frame.output.note("Nothing was changed.")
        else:
            evaluate(sources)
            take(frame, file, before, sources.text)


def take(frame: Frame, file: ConfigFile, before: str | None, text: str) -> None:
    """Write what was edited; a running node follows it, or it is taken back."""
    file.make_folder()
    with ExitStack() as undo:
        file.replace(before, text)
        undo.callback(file.replace, text, before)
        if link := frame.own_link():
            tell(frame, link.ask("POST", "/api/v1/config/reload"))
        else:
            frame.output.note(f"Written to {file.path}.")
        undo.pop_all()


def editor_of(frame: Frame) -> list[str]:
    if editor := shlex.split(frame.environment.editor):
        return editor
    raise NoEditorError(f"Set VISUAL or EDITOR to the editor you like; the file is `{frame.paths().config_file}`.")


@contextmanager
def draft_of(text: str) -> Generator[Path]:
    """A copy to be edited. It goes when its text was taken or is as before; else it stays for another try."""
    draft = Path(tempfile.mkdtemp(prefix="thorp-")) / "config.toml"
    with explaining("write", draft):
        draft.write_text(text, "utf-8", newline="")
    try:
        yield draft
    except ThorpError as error:
        kept = draft.is_file() and draft.read_bytes() != text.encode()
        if not kept:
            shutil.rmtree(draft.parent)
        raise not_taken(error, draft if kept else None) from None
    shutil.rmtree(draft.parent)


def not_taken(error: ThorpError, kept: Path | None) -> EditNotTakenError:
    """What was wrong with an edit, as it was told, and what became of it."""
    told = cast("dict[str, Any]", told_of(error)["error"])
    text = f"; your text is kept in `{kept}`" if kept else ""
    refused = EditNotTakenError(f"{error.message}\nThe settings are as they were{text}.")
    refused.details.update(cast("dict[str, Any]", told.get("details") or {}))
    if kept:
        refused.details["kept"] = str(kept)
    refused.code, refused.exit_code = str(told["code"]), exit_code_of(error)
    return refused


def run_editor(editor: Sequence[str], draft: Path) -> None:
    try:
        subprocess.run([*editor, draft], check=True)  # noqa: S603  (the person's own editor)
    except OSError as error:
        reason = error.strerror or error
        raise EditorFailedError(
            f"The editor `{editor[0]}` cannot be started: {reason}. Set VISUAL or EDITOR to another one."
        ) from None
    except subprocess.CalledProcessError as error:
        raise EditorFailedError(f"The editor `{editor[0]}` ended with {error.returncode}.") from None


def current(frame: Frame) -> dict[str, Any]:
    """Every setting, of the running node if there is one."""
    if link := frame.running_link():
        return link.ask("GET", "/api/v1/config")
    effective = load(file_of(frame), frame.environment)
    warn(frame, effective)
    return {"settings": effective.rows(), "needs_restart": []}


def is_absent(frame: Frame, key: str) -> bool:
    """Whether this home's settings file does not hold the key; of a node elsewhere nobody here can say."""
    if frame.node_url:
        return False
    try:
        return key not in dict(flat(read_table(file_of(frame).read() or "")))
    except NotTomlError:  # which the change itself will meet, and tell
        return False


def change_on_disk(frame: Frame, key: str, value: str | None, absent: str = "") -> None:
    file = file_of(frame)
    effective = change_file(file, sources_of(file, frame.environment), {key: value})
    warn(frame, effective)
    shadowed = list(effective.shadowed((key,))) if key in KEYS else []
    tell(frame, {"applied": [], "needs_restart": [], "shadowed": shadowed}, absent or f"Written to {file.path}.")


def tell(frame: Frame, outcome: dict[str, Any], fallback: str = UNCHANGED) -> None:
    """What became of a change."""
    frame.output.show(outcome, lambda output, data: output.note(told(data, fallback)))


def of_key(key: str, outcome: dict[str, Any]) -> dict[str, Any]:
    """What waits for a restart, as far as it is this change's doing. `thorp status` shows all of it."""
    shadowed: list[str] = outcome["shadowed"]
    return outcome | {"needs_restart": [one for one in outcome["needs_restart"] if one == key and one not in shadowed]}


def told(outcome: dict[str, Any], fallback: str) -> str:
    parts = [
        (outcome["applied"], "Applied: {}."),
        (outcome["needs_restart"], "At the next start: {}."),
        (outcome["shadowed"], "Written, but a variable or flag of this run wins: {}."),
    ]
    return " ".join(words.format(", ".join(keys)) for keys, words in parts if keys) or fallback


def draw(output: Output, answer: dict[str, Any], *, origin: bool) -> None:
    lines = [
        (f"{row['key']} = {json.dumps(row['value'], ensure_ascii=False)}", row["origin"]) for row in answer["settings"]
    ]
    width = aligned(lines, output.columns)
    for line, where in lines:
        output.line(f"{line:<{width}}  # {where}" if origin else line)
    if answer["needs_restart"]:
        output.note(f"Changed, and in force after a restart: {', '.join(answer['needs_restart'])}.")


def aligned(lines: Sequence[tuple[str, str]], columns: int | None) -> int:
    """The column up to which lines are filled before their origin; 0, so none are, where that would break lines."""
    width = max(len(line) for line, _ in lines)
    widest = max(len(f"{'':<{width}}  # {where}") for _, where in lines)
    return width if columns is None or widest <= columns else 0


def draw_check(output: Output, answer: dict[str, Any]) -> None:
    for problem in answer["problems"]:
        output.prose(problem["message"])
    for warning in answer["warnings"]:
        output.warn(warning)
    if not answer["problems"]:
        output.note(f"{answer['file']}: no mistakes.")


def shown(value: object) -> str:
    """A value as `config set` takes it."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(str(one) for one in cast("list[object]", value))
        case _:
            return str(value)


def warn(frame: Frame, effective: Effective) -> None:
    for warning in effective.warnings:
        frame.output.warn(warning)


def file_of(frame: Frame) -> ConfigFile:
    return ConfigFile(frame.paths().config_file, DISK)


def path_of(key: str) -> str:
    return f"/api/v1/config/{quote(key, safe='')}"
