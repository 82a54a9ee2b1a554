"""What every command is handed: the environment, the options, one way to print, one way to the node."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from thorp.app.environment import Environment
from thorp.base.errors import UsageError
from thorp.cli.here import Here, ThisMachine
from thorp.cli.options import Options
from thorp.cli.output import Output

if TYPE_CHECKING:
    from pathlib import Path

    from thorp.app.paths import Paths
    from thorp.cli.caller import Caller
    from thorp.cli.link import Link


class NotConfirmedError(UsageError):
    """Something that cannot be undone was not confirmed."""

    code = "cli.not_confirmed"


class OnlyHereError(UsageError):
    """A command about this machine's files was sent to a node elsewhere."""

    code = "cli.only_here"


class Frame:
    """One run of the command line."""

    def __init__(self, environment: Environment | None = None, here: Here | None = None) -> None:
        self.environment = environment or Environment()
        self.here = here or ThisMachine()
        self.options = Options()
        self.output = Output(self.environment, self.options)

    @property
    def node_url(self) -> str:
        """The address of a node elsewhere; empty: this home's own."""
        return self.options.node or self.environment.url

    def paths(self) -> "Paths":
        """Where this machine's own home lies; for what only works here."""
        if self.options.node:
            raise OnlyHereError("This command works on the home of this machine only; leave `--node` out.")
        return self._own_paths()

    def _own_paths(self) -> "Paths":
        from thorp.app.paths import paths_of

        return paths_of(self.environment)

    def crash_folder(self) -> "Path":
        """Where the traceback of a failed command is kept, whatever node it spoke to."""
        return self._own_paths().logs

    def link(self) -> "Link":
        """The node, or an error that says how to start it."""
        from thorp.cli.link import open_link

        return open_link(self.node_url, self.environment.key, self._own_paths())

    def running_link(self) -> "Link | None":
        """The node if there is one to talk to; None when this home's node is stopped."""
        return self.link() if self.node_url else self.own_link()

    def own_link(self) -> "Link | None":
        """The node of this home, whatever else was named; None when it is stopped."""
        from thorp.cli.link import NodeStoppedError, open_link

        try:
            return open_link("", "", self.paths())
        except NodeStoppedError:
            return None

    def is_alone(self) -> bool:
        """Whether no node was named and none runs on this home, so that its files are ours to look at."""
        from thorp.app.lock import read_holder

        return not self.node_url and read_holder(self.paths().lock) is None

    @contextmanager
    def models(self) -> "Generator[Caller]":
        """Who does the work of the models commands: the node if there is one to talk to, else this very process."""
        if not self.is_alone():
            from thorp.cli.caller import NodeCaller

            yield NodeCaller(self.link())
            return
        with self.here.caller(self.paths(), self.environment) as caller:
            yield caller

    def confirm(self, question: str, *, yes: bool) -> None:
        """Return only when the person wants it."""
        if yes:
            return
        if not self.output.interactive:
            raise NotConfirmedError(f"{question} Nobody is here to ask; add `--yes` if that is what you want.")
        if not self.output.ask(question):
            self.output.note("Nothing was changed.")
            raise click.Abort


pass_frame = click.make_pass_decorator(Frame)
