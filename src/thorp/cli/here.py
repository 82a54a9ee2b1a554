"""What the models commands do on this machine without a node. Each part is imported when it is needed, never before."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from thorp.app.environment import Environment

if TYPE_CHECKING:
    from thorp.app.paths import Paths
    from thorp.cli.caller import Caller

Told = Callable[[str, int, int], None]  # a file, how much of it is done, how much there is


class Here(Protocol):
    def caller(self, paths: "Paths", environment: Environment) -> AbstractContextManager["Caller"]:
        """The service of a node, for as long as it is held; what it still does at the end is paused and kept."""
        ...

    def library(self, paths: "Paths", environment: Environment) -> dict[str, Any]:
        """What `library.list` answers, at once."""
        ...

    def complete(
        self, paths: "Paths", environment: Environment, ref: str, quant: str | None, revision: str | None
    ) -> dict[str, Any] | None:
        """What `model.pull` answers where the model is here and whole already; None: it has to be looked for."""
        ...

    def export(
        self, paths: "Paths", environment: Environment, ref: str, target: Path, told: Told
    ) -> dict[str, Any]: ...

    def keep_token(self, paths: "Paths", token: str) -> None: ...

    def forget_token(self, paths: "Paths") -> bool:
        """Whether there was one."""
        ...

    def start(self, paths: "Paths") -> str:
        """Start the node in the background. Answers with its address."""
        ...

    def starts_by_itself(self, paths: "Paths", environment: Environment) -> bool:
        """Whether its owner wants a node after a pull."""
        ...


class ThisMachine:
    def caller(self, paths: "Paths", environment: Environment) -> AbstractContextManager["Caller"]:
        from thorp.app.here import open_here

        return open_here(paths, environment)

    def library(self, paths: "Paths", environment: Environment) -> dict[str, Any]:
        from thorp.app.shelf import library_here

        return library_here(paths, environment)

    def complete(
        self, paths: "Paths", environment: Environment, ref: str, quant: str | None, revision: str | None
    ) -> dict[str, Any] | None:
        from thorp.app.shelf import complete_here

        return complete_here(paths, environment, ref, quant, revision)

    def export(self, paths: "Paths", environment: Environment, ref: str, target: Path, told: Told) -> dict[str, Any]:
        from thorp.app.bundles import export_here

        return export_here(paths, environment, ref, target, told)

    def keep_token(self, paths: "Paths", token: str) -> None:
        from thorp.app.hub_token import keep_token

        keep_token(paths, token)

    def forget_token(self, paths: "Paths") -> bool:
        from thorp.app.hub_token import forget_token

        return forget_token(paths)

    def start(self, paths: "Paths") -> str:
        from thorp.app.detach import start_detached

        return start_detached(paths, ()).address

    def starts_by_itself(self, paths: "Paths", environment: Environment) -> bool:
        from thorp.app.config import ConfigFile, load
        from thorp.base.files import DISK

        held = load(ConfigFile(paths.config_file, DISK), environment).held.get("node.auto_start")
        return held is not None and held.value is True
