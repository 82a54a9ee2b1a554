"""The one door for heavy libraries that load on first use (DESIGN budget: idle memory and start-up time)."""

import importlib
from types import ModuleType


class LazyModule:
    """Holds a module's name until somebody needs the module."""

    __slots__ = ("_module", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def load(self) -> ModuleType:
        if self._module is None:
            self._module = importlib.import_module(self._name)
        return self._module
