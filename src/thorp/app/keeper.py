"""Changes of settings while the node runs, in two phases: everybody may object; then it is written and applied.

An objection, or a failure on the way, leaves the file and everybody as they were.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from thorp.app.config import ConfigFile, Effective, Sources, evaluate, evaluate_change
from thorp.app.edit import edited
from thorp.app.settings import KEYS, Settings
from thorp.base.errors import ConflictError
from thorp.base.settings import Value, changed, compose, lookup, parse_either, values_of

log = logging.getLogger(__name__)


class ConfigVetoError(ConflictError):
    """A part of the node objects to a change of settings."""

    code = "config.veto"


class Reviewer(Protocol):
    """A part of the node that lives by settings."""

    def review(self, old: Settings, new: Settings, /) -> tuple[str, ...]:
        """Objections, in words for the owner. Looks at everything wanted, live or not; changes nothing."""
        ...

    async def apply(self, old: Settings, new: Settings, /) -> None:
        """Follow the live settings of `new`; the others are as they were. Takes effect whole, or raises."""
        ...


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]  # of the whole node, not only of this change
    shadowed: tuple[str, ...] = ()


def changes_of(given: Mapping[str, object]) -> dict[str, Value | None]:
    """Parsed changes; None takes a key out of the file."""
    return {key: None if raw is None else parse_either(lookup(KEYS, key), raw) for key, raw in given.items()}


def takes_out_only(changes: Mapping[str, Value | None]) -> bool:
    """Whether this change can only mend a file: another mistake in it must not stand in the way."""
    return all(value is None for value in changes.values())


def change_file(file: ConfigFile, sources: Sources, given: Mapping[str, object]) -> Effective:
    """A change without a running node: nobody to ask, the file alone."""
    before = file.read()
    changes = changes_of(given)
    text = edited(before or "", changes)
    effective = evaluate_change(replace(sources, text=before or ""), text, lenient=takes_out_only(changes))
    if text != (before or ""):
        file.make_folder()
        file.replace(before, text)
    return effective


class ConfigKeeper:
    """Holds the settings of a running node. `running` is what everybody lives by; `effective` is what is wanted."""

    def __init__(
        self, file: ConfigFile, sources: Sources, effective: Effective, reviewers: tuple[Reviewer, ...] = ()
    ) -> None:
        self._file = file
        self._sources = sources
        self._reviewers = reviewers
        self._turn = asyncio.Lock()
        self.effective = effective
        self.running = effective.settings

    def consult(self, *reviewers: Reviewer) -> None:
        """Who is asked about changes from here on, in this order. They live by these settings, so they come later."""
        self._reviewers = reviewers

    @property
    def needs_restart(self) -> tuple[str, ...]:
        """Settings that were changed since the start and apply at the next one."""
        return tuple(key for key in changed(self.running, self.effective.settings) if not KEYS[key].live)

    def check(self) -> None:
        """Refuse to start with settings that a running node would not take."""
        self._ask(self.effective.settings, "The node does not start")

    async def change(self, given: Mapping[str, object]) -> ChangeOutcome:
        """Change settings by key; a value may be text or typed, None takes the key out of the file."""
        changes = changes_of(given)
        async with self._turn:
            before = self._file.read()
            text = edited(before or "", changes)
            sources = replace(self._sources, text=before or "")
            wanted = evaluate_change(sources, text, self.effective.held, lenient=takes_out_only(changes))
            for warning in (one for one in wanted.warnings if one not in self.effective.warnings):
                log.warning("%s", warning)
            applied = await self._follow(before, text, wanted)
            known = tuple(key for key in changes if key in KEYS)
            return ChangeOutcome(applied, self.needs_restart, self.effective.shadowed(known))

    async def reload(self) -> ChangeOutcome:
        """Follow a file that was edited by hand."""
        async with self._turn:
            text = self._file.read()
            wanted = evaluate(replace(self._sources, text=text or ""))
            return ChangeOutcome(await self._follow(text, text or "", wanted), self.needs_restart)

    async def _follow(self, before: str | None, text: str, effective: Effective) -> tuple[str, ...]:
        self._ask(effective.settings, "Nothing was changed")
        old, new = self.running, _live_part(self.running, effective.settings)
        async with AsyncExitStack() as undo:
            if text != (before or ""):
                # In the loop on purpose: between the write and the end of applying, nothing else may see half of it.
                self._file.replace(before, text)
                undo.callback(self._file.replace, text, before)
            for reviewer in self._reviewers:
                await reviewer.apply(old, new)
                undo.push_async_callback(reviewer.apply, new, old)
            undo.pop_all()
        self.running, self.effective = new, effective
        applied = changed(old, new)
        if applied:
            log.info("settings changed: %s", ", ".join(applied))
        return applied

    def _ask(self, wanted: Settings, then: str) -> None:
        objections = [one for reviewer in self._reviewers for one in reviewer.review(self.running, wanted)]
        if objections:
            raise ConfigVetoError(f"{then}: {' '.join(objections)}", objections=objections)


def _live_part(running: Settings, wanted: Settings) -> Settings:
    """The running settings with the wanted value of each live one."""
    values = values_of(running)
    return compose(Settings, {key: values_of(wanted)[key] if KEYS[key].live else values[key] for key in values})
