import os
import pty
import signal
import termios
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.cli.keyboard import Key, KeyParser, keyboard, signals_kept

SEQUENCES = {
    "\x1b[A": Key.UP,
    "\x1bOA": Key.UP,
    "\x1b[1;5A": Key.UP,
    "\x1b[B": Key.DOWN,
    "\x1b[H": Key.HOME,
    "\x1bOF": Key.END,
    "\x1b[1~": Key.HOME,
    "\x1b[4~": Key.END,
    "\x1b[7~": Key.HOME,
    "\x1b[8~": Key.END,
    "\x1b[5~": Key.PAGE_UP,
    "\x1b[6;2~": Key.PAGE_DOWN,
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\x03": Key.LEAVE,
    "\x04": Key.LEAVE,
    "j": "j",
    "/": "/",
    "ä": "ä",
    "家": "家",
}
UNKNOWN = ["\x1b[C", "\x1b[3~", "\x1b[200~", "\x1bOP", "\x01", "\x1a", "\t"]


@pytest.mark.parametrize(("typed", "key"), SEQUENCES.items())
def test_a_key_is_known_by_what_it_sends(typed: str, key: str) -> None:
    assert KeyParser().fed(typed.encode()) == [key]


@pytest.mark.parametrize("typed", UNKNOWN)
def test_an_unknown_key_is_none(typed: str) -> None:
    assert KeyParser().fed(typed.encode() + b"x") == ["x"]


def test_an_escape_is_a_key_when_nothing_follows() -> None:
    parser = KeyParser()

    assert parser.fed(b"\x1b") == []
    assert parser.waiting
    assert parser.settled() == [Key.ESCAPE]
    assert not parser.waiting
    assert parser.settled() == []


def test_an_escape_before_another_key_is_both() -> None:
    assert KeyParser().fed(b"\x1bq\x1b\x1b[A") == [Key.ESCAPE, "q", Key.ESCAPE, Key.UP]


def test_half_a_sequence_is_no_key() -> None:
    parser = KeyParser()

    assert parser.fed(b"\x1b[1;") == parser.settled() == []
    assert parser.fed(b"x") == ["x"]


def test_an_endless_sequence_is_dropped() -> None:
    parser = KeyParser()

    assert parser.fed(b"\x1b[" + b"1" * 100_000) == []
    assert not parser.waiting


@given(st.lists(st.sampled_from([*SEQUENCES, *UNKNOWN]), max_size=8), st.data())
def test_wherever_a_read_splits_the_keys_are_the_same(typed: list[str], data: st.DataObject) -> None:
    whole = "".join(typed).encode()
    at = data.draw(st.integers(min_value=0, max_value=len(whole)))
    parser = KeyParser()

    assert parser.fed(whole[:at]) + parser.fed(whole[at:]) == KeyParser().fed(whole)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_parser(typed: bytes) -> None:
    parser = KeyParser()

    assert all(parser.fed(typed) + parser.settled())


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(theirs)
    os.close(ours)


def test_keys_come_one_by_one_and_the_terminal_gets_its_mode_back(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    with keyboard(theirs) as keys:
        os.write(ours, b"\x1b[B\x03x")
        assert keys.keys(30) == [Key.DOWN, Key.LEAVE, "x"]
        os.write(ours, b"\x1b")
        assert keys.keys(30) == [Key.ESCAPE]
        assert keys.keys(0) == []
        local = termios.tcgetattr(theirs)[3]
        assert not local & (termios.ECHO | termios.ICANON | termios.ISIG)

    assert termios.tcgetattr(theirs) == before


def test_the_mode_is_given_back_when_it_ends_badly(terminal: tuple[int, int]) -> None:
    _, theirs = terminal
    before = termios.tcgetattr(theirs)

    def fails() -> None:
        with keyboard(theirs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert termios.tcgetattr(theirs) == before


def test_a_terminal_that_is_gone_means_leaving() -> None:
    ours, theirs = pty.openpty()
    with keyboard(theirs) as keys:
        os.close(ours)
        assert keys.keys(30) == [Key.LEAVE]
    os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_the_next_look_at_the_keys(terminal: tuple[int, int], number: signal.Signals) -> None:
    _, theirs = terminal
    before = signal.getsignal(number), termios.tcgetattr(theirs)

    def ends() -> None:
        with keyboard(theirs) as keys:
            assert keys.keys(0) == []
            signal.raise_signal(number)
            keys.keys(0)

    with pytest.raises(SystemExit) as caught:
        ends()
    assert caught.value.code == 128 + number
    assert (signal.getsignal(number), termios.tcgetattr(theirs)) == before


def test_an_interrupt_from_elsewhere_is_the_key_for_it(terminal: tuple[int, int]) -> None:
    with keyboard(terminal[1]) as keys:
        signal.raise_signal(signal.SIGINT)
        assert keys.keys(0) == [Key.LEAVE]


def test_beside_the_main_thread_signals_stay_as_they_are() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def look() -> None:
        with signals_kept():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
