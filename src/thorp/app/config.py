"""The owner's settings file, and what its values are once variables and flags are laid over it.

Order of growing strength: default, file, environment, flag. Every value knows where it came from, and every mistake is
found in one go. Who changes settings while a node runs is `keeper`'s business.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, cast

from thorp.app.environment import Environment, variable_of
from thorp.app.settings import KEYS, Settings, Table, migrated
from thorp.base.errors import ConflictError, UsageError
from thorp.base.files import FileMissingError, FilePort, explaining, read_bounded, write_atomically
from thorp.base.nearest import did_you_mean
from thorp.base.settings import Value, compose, lookup, parse, parse_text, plain

LARGEST_FILE: Final = 1_048_576
LINE: Final = re.compile(r"\s*(?:\[\s*(?P<section>[\w.-]+)\s*\]|(?P<key>[\w.-]+)\s*=)")
SHOWN_PROBLEMS: Final = 20


class NotTomlError(UsageError):
    """The settings file cannot be read at all."""

    code = "config.not_toml"


class BadConfigError(UsageError):
    """Several settings are wrong at once."""

    code = "config.invalid"


class EditedMeanwhileError(ConflictError):
    """Somebody else wrote the settings file in between."""

    code = "config.edited_meanwhile"


class ConfigTooLongError(UsageError):
    """The settings file would grow longer than what is read."""

    code = "config.too_long"


class Origin(StrEnum):
    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Held:
    """The value of a setting and where it comes from."""

    value: Value
    origin: Origin = Origin.DEFAULT
    where: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that can set a setting, as text."""

    text: str = ""
    name: str = "config.toml"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    flags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds in the end."""

    settings: Settings
    held: Mapping[str, Held]
    warnings: tuple[str, ...] = ()

    def shadowed(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these the file cannot decide, because a variable or flag of this run does."""
        return tuple(key for key in keys if self.held[key].origin in (Origin.ENVIRONMENT, Origin.FLAG))

    def rows(self) -> list[dict[str, object]]:
        """Every setting as the API and `thorp config show` tell it."""
        return [
            {
                "key": key,
                "value": plain(self.held[key].value),
                "origin": self.held[key].origin.value,
                "default": plain(known.default),
                "live": known.live,
                "help": known.help,
            }
            for key, known in KEYS.items()
        ]


class ConfigFile:
    """The file itself. Missing is not the same as empty, but both work."""

    def __init__(self, path: Path, files: FilePort) -> None:
        self.path = path
        self._files = files

    def read(self) -> str | None:
        try:
            return read_bounded(self._files, self.path, LARGEST_FILE).decode()
        except FileMissingError:
            return None
        except UnicodeDecodeError as error:
            raise NotTomlError(f"`{self.path}` is no UTF-8 text at byte {error.start}.", path=str(self.path)) from None

    def make_folder(self) -> None:
        """The folder of the file, where no home was made yet."""
        with explaining("make", self.path.parent):
            self.path.parent.mkdir(0o700, parents=True, exist_ok=True)

    def replace(self, expected: str | None, text: str | None) -> None:
        """Write `text`, unless somebody else has written since `expected` was read. None is: no file."""
        content = (text or "").encode()
        if len(content) > LARGEST_FILE:
            raise ConfigTooLongError(
                f"`{self.path}` would have {len(content)} bytes, and at most {LARGEST_FILE} are read, so nothing was "
                "written. Shorten what you set.",
                path=str(self.path),
            )
        if self.read() != expected:
            raise EditedMeanwhileError(
                f"`{self.path}` was edited meanwhile, so nothing was written. Look at it and try again.",
                path=str(self.path),
            )
        target = self.path.resolve()  # a link into somebody's dotfiles stays a link
        if text is not None:
            write_atomically(self._files, target, content)
        elif expected is not None:
            with explaining("remove", target):
                self._files.unlink(target)


def sources_of(file: ConfigFile, environment: Environment, flags: Mapping[str, str] | None = None) -> Sources:
    return Sources(file.read() or "", str(file.path), environment.overrides, flags or {})


def load(file: ConfigFile, environment: Environment, flags: Mapping[str, str] | None = None) -> Effective:
    return evaluate(sources_of(file, environment, flags))


def evaluate(sources: Sources) -> Effective:
    """The settings these sources make together, or every mistake in them."""
    effective, problems = check(sources)
    if problems:
        raise _as_one(problems)
    return effective


def evaluate_change(
    sources: Sources, text: str, until_now: Mapping[str, Held] | None = None, *, lenient: bool
) -> Effective:
    """The settings these sources make once the file says `text`, or every mistake as it stands in the file now.

    Where `lenient`, mistakes that stood there before may stay, and are warnings.
    """
    effective, after = check(replace(sources, text=text), until_now)
    _, before = check(sources)
    stood, left = ({_subject(problem) for problem in problems} for problems in (before, after))
    old = tuple(problem for problem in before if _subject(problem) in left)
    new = tuple(problem for problem in after if _subject(problem) not in stood)
    if new or (old and not lenient):
        raise _as_one((*old, *new))  # the old ones with the lines where a person finds them now
    return replace(effective, warnings=(*effective.warnings, *(problem.message for problem in after)))


def _subject(problem: UsageError) -> tuple[object, ...]:
    """What a problem is about, wherever it stands."""
    return problem.code, problem.details.get("key")


def _as_one(problems: Sequence[UsageError]) -> UsageError:
    if len(problems) == 1:
        return problems[0]
    lines = "".join(f"\n  {problem.message}" for problem in problems[:SHOWN_PROBLEMS])
    return BadConfigError(
        f"{len(problems)} settings are wrong:{lines}", problems=[problem.message for problem in problems]
    )


def check(sources: Sources, until_now: Mapping[str, Held] | None = None) -> tuple[Effective, tuple[UsageError, ...]]:
    """Look at everything. What is wrong is told and left out of the settings; it is as it was until now, or default."""
    stays = until_now or {}
    held = {key: Held(known.default) for key, known in KEYS.items()}
    problems: list[UsageError] = []
    warnings: list[str] = []
    for found in (*_from_file(sources), *_from_environment(sources), *_from_flags(sources)):
        match found:
            case UsageError():
                problems.append(found)
                key = str(found.details.get("key"))
                if key in stays:
                    held[key] = stays[key]
            case str():
                warnings.append(found)
            case (key, value):
                held[key] = value
    settings = compose(Settings, {key: one.value for key, one in held.items()})
    return Effective(settings, held, tuple(warnings)), tuple(problems)


def read_table(text: str, name: str = "config.toml") -> Table:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotTomlError(f"`{name}` is not TOML: {error}.", path=name) from None


def flat(table: Table, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and values. A key that itself holds a dot is quoted, and so stands for no setting."""
    for name, value in table.items():
        key = prefix + (name if "." not in name else f'"{name}"')
        if isinstance(value, dict) and value:
            yield from flat(cast("Table", value), f"{key}.")
        else:
            yield key, value


_Found = tuple[str, Held] | UsageError | str


def _from_file(sources: Sources) -> Iterator[_Found]:
    try:
        table = migrated(read_table(sources.text, sources.name))
    except UsageError as error:
        yield error
        return
    lines = line_numbers(sources.text)
    for key, raw in flat(table):
        if raw != {} or not _is_section(key):
            where = sources.name + (f", line {lines[key]}" if key in lines else "")
            yield _held(key, raw, Origin.FILE, where)


def _from_environment(sources: Sources) -> Iterator[_Found]:
    keys = {variable_of(key): key for key in KEYS}
    for name, text in sources.environment.items():
        if name in keys:
            yield _held(keys[name], text, Origin.ENVIRONMENT, name)
        else:
            yield f"The variable {name} sets nothing.{did_you_mean(name, keys)}"


def _from_flags(sources: Sources) -> Iterator[_Found]:
    for key, text in sources.flags.items():
        yield _held(key, text, Origin.FLAG, "flag")


def _held(key: str, raw: object, origin: Origin, where: str) -> tuple[str, Held] | UsageError:
    try:
        known = lookup(KEYS, key, where)
        read = parse if origin is Origin.FILE else parse_text
        return key, Held(read(known, cast("str", raw), where), origin, where)
    except UsageError as error:
        return error


def _is_section(key: str) -> bool:
    return any(known.startswith(f"{key}.") for known in KEYS)


def line_numbers(text: str) -> dict[str, int]:
    """Where keys stand. Good enough to point at; not a parser."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := LINE.match(line):
            if match["section"]:
                section = f"{match['section']}."
            else:
                found.setdefault(section + match["key"], number)
    return found
