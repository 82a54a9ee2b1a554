"""The page of commands, read from the command tree itself."""

from collections.abc import Iterator
from inspect import cleandoc

import click

from thorp.cli.main import cli
from tools.pages.page import Named, Page, code, document, table

INTRODUCTION = """Every command, its arguments and its options. `--help` says the same at the terminal, and `--json`,
`--quiet`, `-v` and `--node` work after every command as well as right after `thorp`."""


def text() -> str:
    return document("Commands", INTRODUCTION, *(section(path, command) for path, command in commands()))


def names() -> Iterator[Named]:
    for path, command in commands():
        yield Named(path)
        yield from (Named(spelling, path) for option in options(command) for spelling in option.opts)


def commands() -> Iterator[tuple[str, click.Command]]:
    return walk("thorp", cli)


def walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from walk(f"{path} {name}", inner)


def options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden and one.name != "help"]


def section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join((path, *command.collect_usage_pieces(context)))
    blocks = (
        f"## {code(path)}",
        cleandoc(command.help or "").replace("\b\n", "").replace("\f", ""),
        f"    {usage}",
        table(("option", "meaning", "default"), [row(option) for option in options(command)]),
    )
    return "\n\n".join(block for block in blocks if block)


def row(option: click.Option) -> tuple[str, str, str]:
    spellings = ", ".join(code(one) for one in (*option.opts, *option.secondary_opts))
    values = "" if option.is_flag or option.count else f" {(option.metavar or option.human_readable_name).upper()}"
    if isinstance(option.type, click.Choice):
        values = " " + " or ".join(code(choice) for choice in option.type.choices)
    return spellings + values, option.help or "", default(option)


def default(option: click.Option) -> str:
    """A default worth showing: one that does not depend on the machine."""
    value = "" if option.count else option.default
    return code(value) if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" else ""


PAGE = Page("cli.md", text, names)
