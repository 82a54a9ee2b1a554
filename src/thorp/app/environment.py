"""The only reader of the process environment. What it finds is handed on as a frozen value; nobody looks twice."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

PREFIX: Final = "THORP_"
YES: Final = frozenset({"1", "ON", "YES", "TRUE"})
OWN: Final = frozenset({"THORP_HOME", "THORP_URL", "THORP_KEY"})


@dataclass(frozen=True, slots=True)
class HubVariables:
    """What huggingface_hub reads as well, with the same meaning."""

    endpoint: str = ""
    token: str = field(default="", repr=False)
    home: Path | None = None
    cache: Path | None = None
    offline: bool = False

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        return cls(
            endpoint=given.get("HF_ENDPOINT", ""),
            token=given.get("HF_TOKEN", "").strip(),
            home=_folder(given.get("HF_HOME")),
            cache=_folder(given.get("HF_HUB_CACHE")),
            offline=given.get("HF_HUB_OFFLINE", "").upper() in YES,
        )


@dataclass(frozen=True, slots=True)
class Environment:
    home: Path | None = None
    url: str = ""
    key: str = field(default="", repr=False)
    # The other THORP_… variables by full name: settings, or mistakes.
    overrides: Mapping[str, str] = field(default_factory=lambda: MappingProxyType[str, str]({}))
    no_color: bool = False
    force_color: bool = False
    term: str = ""
    runtime_dir: Path | None = None
    editor: str = ""
    display: bool = False  # whether a browser could show a page
    hub: HubVariables = field(default_factory=HubVariables)

    @classmethod
    def read(cls) -> Self:
        return cls.of(os.environ)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """An empty variable counts as none."""
        given = {name: value for name, value in variables.items() if value}
        own = {name: value for name, value in given.items() if name.startswith(PREFIX) and name not in OWN}
        return cls(
            home=_folder(given.get("THORP_HOME")),
            url=given.get("THORP_URL", ""),
            key=given.get("THORP_KEY", ""),
            overrides=MappingProxyType(own),
            no_color="NO_COLOR" in given,
            force_color=given.get("FORCE_COLOR", "0") != "0",
            term=given.get("TERM", ""),
            runtime_dir=_folder(given.get("XDG_RUNTIME_DIR")),
            editor=given.get("VISUAL") or given.get("EDITOR", ""),
            display=_has_display(given, sys.platform),
            hub=HubVariables.of(given),
        )

    def wants_colour(self, *, terminal: bool) -> bool:
        """Whether to colour what goes to a stream, as the common variables say."""
        if self.no_color:
            return False
        return self.force_color or (terminal and self.term != "dumb")


def variable_of(key: str) -> str:
    """The variable that sets a setting: `local.port` is THORP_LOCAL_PORT."""
    return PREFIX + key.upper().replace(".", "_")


def _folder(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _has_display(given: Mapping[str, str], platform: str) -> bool:
    if any(name in given for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        return True
    return platform == "darwin" and "SSH_CONNECTION" not in given
