"""Where log lines go: JSON in a file for machines, one readable line on the terminal for people. No secret in either.

It owns the process's root logger for as long as the node runs, and routes the server's own loggers into it.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, Protocol, TextIO

from thorp.base.files import explaining
from thorp.base.moments import rfc3339
from thorp.base.printable import printable, printable_json
from thorp.base.redact import redact
from thorp.base.request import current_request
from thorp.base.settings import setting

FILE_NAME: Final = "thorp.log"
CRASH_NAME: Final = "cli.log"
LONGEST: Final = 32_768  # characters of one message or traceback
MEGABYTE: Final = 1_000_000
ROUTED: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")
CHATTY: Final = ("uvicorn.access",)  # a line for each request: only when debugging
COLOURS: Final[Mapping[int, str]] = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        return logging.getLevelNamesMapping()[self.value.upper()]


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: Level = setting(Level.INFO, "The least important lines that are still written.", live=True)
    file_megabytes: int = setting(10, "Size at which a new log file is begun.", minimum=1, maximum=1024)
    files_kept: int = setting(5, "How many full log files are kept.", minimum=1, maximum=100)


class HasLogs(Protocol):
    @property
    def logs(self) -> LogSettings: ...


class Logs:
    """The running log; it follows changes of its settings."""

    def __init__(self, root: logging.Logger, file: Path) -> None:
        self._root = root
        self.file = file

    def review(self, _old: HasLogs, _new: HasLogs, /) -> tuple[str, ...]:
        return ()

    async def apply(self, _old: HasLogs, new: HasLogs, /) -> None:
        self.set_level(new.logs.level)

    def set_level(self, level: Level) -> None:
        self._root.setLevel(level.number)
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.DEBUG if level is Level.DEBUG else logging.WARNING)


@contextmanager
def logging_to(
    folder: Path, settings: LogSettings, stream: TextIO, *, colours: bool, root: logging.Logger | None = None
) -> Generator[Logs]:
    """Log into `folder` and onto `stream` until the block ends."""
    root = root or logging.getLogger()
    before = root.level
    with explaining("write", folder / FILE_NAME):
        file = PrivateFile(folder / FILE_NAME, settings.file_megabytes * MEGABYTE, settings.files_kept)
    terminal = Terminal(stream)
    file.setFormatter(JsonLines())
    terminal.setFormatter(HumanLines(colours=colours))
    handlers = (file, terminal)
    for handler in handlers:
        root.addHandler(handler)
    _route()
    logs = Logs(root, folder / FILE_NAME)
    logs.set_level(settings.level)
    try:
        yield logs
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def keep_crash(folder: Path, error: BaseException) -> Path | None:
    """Keep the traceback of a command that failed unexpectedly; None when there is no place for it."""
    trace = (type(error), error, error.__traceback__)
    record = logging.LogRecord("thorp.cli", logging.ERROR, "", 0, "a command failed", None, trace)
    try:
        file = PrivateFile(folder / CRASH_NAME, MEGABYTE, 1)
    except OSError:
        return None
    file.setFormatter(JsonLines())
    file.emit(record)
    file.close()
    return folder / CRASH_NAME


class Discreet(logging.Handler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's own name for it)
        """Tell that a line was lost. The standard handler would print its raw arguments, secrets included."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"thorp: a log line of {record.name} could not be written: {sys.exc_info()[1]}\n")


class PrivateFile(Discreet, RotatingFileHandler):
    """A log file that only its owner may read. A full disk costs lines, not the node."""

    def __init__(self, path: Path, most_bytes: int, kept: int) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=kept, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self.baseFilename, flags, 0o600)
        os.fchmod(handle, 0o600)
        return os.fdopen(handle, "a", encoding=self.encoding, errors=self.errors)


class Terminal(Discreet, logging.StreamHandler[TextIO]):
    """The person's side."""


class JsonLines(logging.Formatter):
    """One JSON object on each line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(record.getMessage()),
        }
        if request := current_request.get():
            line["request"] = request
        if trace := _trace(record):
            line["traceback"] = trace
        return printable_json(json.dumps(line, ensure_ascii=False))


class HumanLines(logging.Formatter):
    """`12:31:05 warning net.listen  message (request)`; further lines are indented, so that none can be forged."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        request = f" ({request})" if (request := current_request.get()) else ""
        text = _clean(record.getMessage()) + request
        if trace := _trace(record):
            text += f"\n{trace}"
        level = self._coloured(f"{record.levelname.lower():<7}", record.levelno)
        name = record.name.removeprefix("thorp.")
        return f"{clock} {level} {name}  " + printable(text).replace("\n", "\n  ")

    def _coloured(self, word: str, level: int) -> str:
        colour = COLOURS.get(level) if self._colours else None
        return f"\x1b[{colour}m{word}\x1b[0m" if colour else word


def _route() -> None:
    for name in ROUTED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return _clean("".join(traceback.format_exception(record.exc_info[1])).rstrip())


def _clean(text: str) -> str:
    shortened = text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text)} characters)"
    return redact(shortened)
