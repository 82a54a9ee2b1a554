"""`thorp config`: the owner's settings, with or without a running node."""

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import click

from thorp.app.config import ConfigFile, Effective, Sources, check, evaluate, load, sources_of
from thorp.app.keeper import change_file
from thorp.app.settings import KEYS
from thorp.base.errors import UsageError
from thorp.base.files import DISK
from thorp.base.settings import lookup
from thorp.cli.answered import told_of
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output

WRONG = 2


class NoEditorError(UsageError):
    """Nobody said which editor to use."""

    code = "cli.no_editor"


class EditorFailedError(UsageError):
    """The editor ended badly, or did not start."""

    code = "cli.editor_failed"


@click.command
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@pass_frame
def show(frame: Frame, *, origin: bool) -> None:
    """Of the running node if there is one, else from the disk. What is printed could be a settings file."""
    frame.output.show(current(frame), lambda output, answer: draw(output, answer, origin=origin))


@click.command
@click.argument("key")
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
@click.argument("key")
@click.argument("value")
@pass_frame
def set_value(frame: Frame, *, key: str, value: str) -> None:
    """Lists are written with commas: `thorp config set local.hosts attic.lan,attic`."""
    if link := frame.running_link():
        tell(frame, of_key(key, link.ask("PUT", path_of(key), {"value": value})))
    else:
        change_on_disk(frame, key, value)


@click.command
@click.argument("key")
@pass_frame
def unset(frame: Frame, *, key: str) -> None:
    """Its default holds again. A key that Thorp does not know is taken out as well."""
    if link := frame.running_link():
        tell(frame, of_key(key, link.ask("DELETE", path_of(key))))
    else:
        change_on_disk(frame, key, None)


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
    places = {name: str(path) for name, path in frame.paths().named().items()}
    frame.output.show(places, lambda output, data: output.facts(data.items()))


@click.command
@pass_frame
def edit(frame: Frame) -> None:
    """In the editor of VISUAL or EDITOR. A text with mistakes is not taken, and kept apart for another try."""
    file = file_of(frame)
    before = file.read()
    text = edited_by_hand(frame, before or "")
    if text == (before or ""):
        frame.output.note("Nothing was changed.")
        return
    file.path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with ExitStack() as undo:
        file.replace(before, text)
        undo.callback(file.replace, text, before)
        if link := frame.own_link():
            tell(frame, link.ask("POST", "/api/v1/config/reload"))
        else:
            frame.output.note(f"Written to {file.path}.")
        undo.pop_all()


def edited_by_hand(frame: Frame, text: str) -> str:
    """What the person made of the text, once it has no mistakes."""
    editor = shlex.split(frame.environment.editor)
    if not editor:
        raise NoEditorError(f"Set VISUAL or EDITOR to the editor you like; the file is `{frame.paths().config_file}`.")
    draft = Path(tempfile.mkdtemp(prefix="thorp-")) / "config.toml"
    draft.write_text(text, "utf-8")
    try:
        subprocess.run([*editor, draft], check=True)  # noqa: S603  (the person's own editor)
    except OSError as error:
        raise EditorFailedError(f"The editor `{editor[0]}` cannot be started: {error.strerror or error}.") from None
    except subprocess.CalledProcessError as error:
        raise EditorFailedError(
            f"The editor `{editor[0]}` ended with {error.returncode}; nothing was changed. Your text is in `{draft}`."
        ) from None
    sources = Sources(ConfigFile(draft, DISK).read() or "", str(draft), frame.environment.overrides)
    evaluate(sources)
    shutil.rmtree(draft.parent)
    return sources.text


def current(frame: Frame) -> dict[str, Any]:
    """Every setting, of the running node if there is one."""
    if link := frame.running_link():
        return link.ask("GET", "/api/v1/config")
    effective = load(file_of(frame), frame.environment)
    warn(frame, effective)
    return {"settings": effective.rows(), "needs_restart": []}


def change_on_disk(frame: Frame, key: str, value: str | None) -> None:
    file = file_of(frame)
    file.path.parent.mkdir(0o700, parents=True, exist_ok=True)
    effective = change_file(file, sources_of(file, frame.environment), {key: value})
    warn(frame, effective)
    shadowed = list(effective.shadowed((key,))) if key in KEYS else []
    tell(frame, {"applied": [], "needs_restart": [], "shadowed": shadowed}, f"Written to {file.path}.")


def tell(frame: Frame, outcome: dict[str, Any], fallback: str = "Nothing has changed for the running node.") -> None:
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
        output.line(problem["message"])
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
