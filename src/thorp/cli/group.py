"""Commands out of the table: listed from it, imported when they run."""

import copy
import importlib
from collections.abc import Callable, Sequence
from inspect import cleandoc
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from thorp.base.errors import UsageError
from thorp.base.nearest import did_you_mean
from thorp.cli.frame import Frame
from thorp.cli.options import LINE, help_option, shared_options
from thorp.cli.table import COMMANDS, NOUNS, SECTIONS, Entry, Section


class UnknownCommandError(UsageError):
    """There is no such command."""

    code = "cli.unknown_command"


class TableGroup(click.Group):
    """The commands whose path starts with `prefix`: all of them, or those of one noun."""

    def __init__(self, prefix: str = "", entries: Sequence[Entry] = COMMANDS, **details: Any) -> None:
        super().__init__(**details)
        self._prefix = prefix
        self._entries = {entry.path: entry for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        inner = [path.removeprefix(self._prefix).split()[0] for path in self._entries if path.startswith(self._prefix)]
        return list(dict.fromkeys(inner))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = self._entries.get(self._prefix + cmd_name)
        if not self._prefix and any(path.startswith(f"{cmd_name} ") for path in self._entries):
            return noun(cmd_name, entry)
        return _loaded(entry, cmd_name) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise UnknownCommandError(
                f"There is no command `{ctx.command_path} {name[:80]}`.{self._hint(name, known)} "
                f"`{ctx.command_path} --help` lists them all.",
                command=name,
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = self.list_commands(ctx)
        sections = SECTIONS if not self._prefix else (Section("Commands", tuple(known)),)
        for section in sections:
            with formatter.section(section.title):
                formatter.write_dl([(name, self._help_of(name)) for name in section.names if name in known])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=self._help_of(name)) for name in names] + options

    def _hint(self, name: str, known: Sequence[str]) -> str:
        """The command that was probably meant, also when it was called by the word its help begins with."""
        words = {self._help_of(one).split()[0].strip(":").lower(): one for one in reversed(known)}
        words |= {one: one for one in known}
        return did_you_mean(name, words, words.__getitem__)

    def _help_of(self, name: str) -> str:
        if not self._prefix and name in NOUNS:
            return NOUNS[name]
        return self._entries[self._prefix + name].help


def noun(name: str, alone: Entry | None = None) -> TableGroup:
    """The commands of one noun. `alone` is what runs where none of them is named; without it the help is shown."""
    return TableGroup(
        f"{name} ",
        name=name,
        help=f"{NOUNS[name]}\n\nAlone: {alone.help}" if alone else NOUNS[name],
        epilog=LINE,
        params=[*shared_options(_options_of, hidden=True), help_option(show_help)],
        callback=_run_by(alone) if alone else None,
        invoke_without_command=alone is not None,
        subcommand_metavar="[COMMAND …]" if alone else None,
    )


def _run_by(alone: Entry) -> Callable[[], Any]:
    @click.pass_context
    def run(context: click.Context) -> Any:
        return None if context.invoked_subcommand else context.invoke(_loaded(alone, alone.path))

    return run


def _loaded(entry: Entry, name: str) -> click.Command:
    """The command of an entry, with the table's words and the shared options."""
    module, _, attribute = entry.target.partition(":")
    command = copy.copy(cast("click.Command", getattr(importlib.import_module(module), attribute)))
    command.name = name
    command.help = f"{entry.help}\n\n{cleandoc(command.help or '')}".strip()
    command.short_help = entry.help
    command.epilog = command.epilog or LINE
    command.params = [*command.params, *shared_options(_options_of, hidden=True), help_option(show_help)]
    return command


def show_help(context: click.Context) -> None:
    context.ensure_object(Frame).output.line(context.get_help())


def _options_of(context: click.Context) -> Any:
    return context.ensure_object(Frame).options
