"""Single keys from the terminal, and its way back to lines however one leaves. What no key is known for is dropped."""

import codecs
import os
import re
import select
import signal
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import FrameType
from typing import Final

PAUSE: Final = 0.05  # seconds without a byte after which an escape was the key of that name
LONGEST: Final = 32  # characters of a sequence; what is longer is no key
AT_ONCE: Final = 1024  # bytes
ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SEQUENCE: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O[ -~])")
UNFINISHED: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*|O)?")


class Key(StrEnum):
    """A key without a character of its own; any other is that character."""

    UP = "up"
    DOWN = "down"
    HOME = "home"
    END = "end"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    LEAVE = "leave"  # Ctrl-C, Ctrl-D, or a terminal that is gone


FINALS: Final = {"A": Key.UP, "B": Key.DOWN, "H": Key.HOME, "F": Key.END}
NUMBERS: Final = {
    "1": Key.HOME,
    "4": Key.END,
    "5": Key.PAGE_UP,
    "6": Key.PAGE_DOWN,
    "7": Key.HOME,
    "8": Key.END,
}
CONTROLS: Final = {
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\x08": Key.BACKSPACE,
    "\x03": Key.LEAVE,
    "\x04": Key.LEAVE,
    "\x0e": Key.DOWN,  # Ctrl-N and Ctrl-P, as in a shell
    "\x10": Key.UP,
}


class KeyParser:
    """Keys out of bytes, wherever a read may have split them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def waiting(self) -> bool:
        """Whether what came last may go on."""
        return bool(self._rest)

    def fed(self, data: bytes) -> list[str]:
        text, self._rest = self._rest + self._decoder.decode(data), ""
        keys: list[str] = []
        at = 0
        while at < len(text):
            if UNFINISHED.fullmatch(text, at):
                self._rest = text[at:] if len(text) - at < LONGEST else ""
                break
            key, at = _first(text, at)
            if key:
                keys.append(key)
        return keys

    def settled(self) -> list[str]:
        """Nothing more came: a lone escape is a key, half a sequence is none."""
        alone, self._rest = self._rest == "\x1b", ""
        return [Key.ESCAPE] if alone else []


def _first(text: str, at: int) -> tuple[str, int]:
    """The key at this place, empty where it is none we know, and where the next one begins."""
    if sequence := SEQUENCE.match(text, at):
        return _named(sequence[1]), sequence.end()
    one = text[at]
    if one == "\x1b":
        return Key.ESCAPE, at + 1
    return CONTROLS.get(one, one if one.isprintable() else ""), at + 1


def _named(sequence: str) -> str:
    """`[A` and `OA` are the same key, `[1;5A` is it with Ctrl."""
    number = sequence[1:-1].partition(";")[0]
    return (NUMBERS if sequence[-1] == "~" else FINALS).get(number if sequence[-1] == "~" else sequence[-1], "")


class Signals:
    """Those that would end this process, kept until it can clear up."""

    def __init__(self) -> None:
        self._arrived: int | None = None

    def keep(self, number: int, _frame: FrameType | None) -> None:
        self._arrived = number

    def obey(self) -> list[str]:
        """End if one has come; an interrupt is a key, wherever it came from."""
        if self._arrived is None:
            return []
        if self._arrived != signal.SIGINT:
            raise SystemExit(128 + self._arrived)
        return [Key.LEAVE]


class Keyboard:
    def __init__(self, descriptor: int, signals: Signals) -> None:
        self._descriptor = descriptor
        self._signals = signals
        self._parser = KeyParser()

    def keys(self, seconds: float) -> list[str]:
        """What was pressed within this time, perhaps nothing. Signals that came meanwhile take effect here alone."""
        keys = self._read() if self._ready(seconds) else []
        while self._parser.waiting:
            keys += self._read() if self._ready(PAUSE) else self._parser.settled()
        return keys + self._signals.obey()

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def _read(self) -> list[str]:
        data = b""
        with suppress(OSError):  # a terminal that is gone
            data = os.read(self._descriptor, AT_ONCE)
        if data:
            return self._parser.fed(data)
        return [*self._parser.settled(), Key.LEAVE]


@contextmanager
def keyboard(descriptor: int) -> Generator[Keyboard]:
    """Keys one by one, unseen and without meaning for the system; afterwards the terminal is as it was."""
    before = termios.tcgetattr(descriptor)
    with signals_kept() as signals:
        try:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, key_by_key(before))
            yield Keyboard(descriptor, signals)
        finally:
            with suppress(termios.error):  # a terminal that is gone needs nothing
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def key_by_key(mode: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    """The same mode of a terminal, but it hands on each key as it is."""
    local, controls = mode[3], mode[6]
    if not isinstance(local, int) or not isinstance(controls, list):
        raise TypeError("this is no mode of a terminal")
    changed = list(mode)
    changed[3] = local & ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    changed[6] = list(controls)
    changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    return changed


@contextmanager
def signals_kept() -> Generator[Signals]:
    """A signal that ends this process waits for the next look at the keys; only the main thread can see to that."""
    signals = Signals()
    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, signals.keep) for number in ENDINGS} if mine else {}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
