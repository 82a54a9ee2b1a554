import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.screen import Screen, program
from thorp.app.environment import Environment
from thorp.cli.keyboard import Key
from thorp.cli.live import cells
from thorp.cli.options import Options
from thorp.cli.output import Output, Tone
from thorp.cli.pick import Choice, Ending, PickState, drawn, layout, moved, number_of, pick, pressed, sized, unpainted

CHOICES = [
    Choice("Q2_K", ("1.4 GB", "1 file"), "fits", "smallest, loses much"),
    Choice("Q4_K_M", ("2.0 GB", "1 file"), "fits", "recommended"),
    Choice("Q8_0", ("13.4 GB", "1 file"), "tight"),
    Choice("F16", ("106.4 GB", "3 files"), "too big"),
]
MANY = [Choice(f"unsloth/DeepSeek-R1-Distill-Qwen-{number}B-GGUF", (f"{number} downloads",)) for number in range(30)]
TITLE = "Which file of bartowski/Llama-3.2-3B-Instruct-GGUF?"
KEYS = [*Key, *"jkq/0123456789x"]


def state_of(choices: list[Choice] = CHOICES, page: int = 3) -> PickState:
    return PickState(tuple(one.label for one in choices), page)


def after(state: PickState, *keys: str) -> PickState:
    for key in keys:
        state = pressed(state, key)
    return state


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ((), 0),
        ((Key.DOWN,), 1),
        (("j", "j", "k"), 1),
        ((Key.UP,), 0),
        ((Key.END,), 29),
        ((Key.END, Key.DOWN), 29),
        ((Key.END, Key.HOME), 0),
        ((Key.PAGE_DOWN,), 3),
        ((Key.PAGE_DOWN, Key.PAGE_DOWN, Key.PAGE_UP), 3),
        (("5",), 4),
        (("1", "2"), 11),
        (("3", "1"), 0),  # there are 30: a new number begins
        (("1", Key.DOWN, "2"), 1),
        (("0",), 0),
        (("x",), 0),
    ],
)
def test_keys_move_the_pointer(keys: tuple[str, ...], chosen: int) -> None:
    assert after(state_of(MANY), *keys).chosen == chosen


@pytest.mark.parametrize(
    ("keys", "ending"),
    [
        ((Key.ENTER,), Ending.PICKED),
        (("q",), Ending.LEFT),
        ((Key.ESCAPE,), Ending.LEFT),
        ((Key.LEAVE,), Ending.LEFT),
        (("/", Key.LEAVE), Ending.LEFT),
        (("/", "q"), Ending.OPEN),
        (("/", Key.ESCAPE), Ending.OPEN),
        (("/", Key.ENTER), Ending.PICKED),
        (("/", "x", "x", Key.ENTER), Ending.OPEN),  # nothing is left to pick
    ],
)
def test_keys_end_it(keys: tuple[str, ...], ending: Ending) -> None:
    assert after(state_of(), *keys).ending is ending


def test_a_filter_leaves_what_holds_all_its_words() -> None:
    state = after(state_of(MANY), *"/QWEN 7b")

    assert [MANY[row].label[-8:] for row in state.shown] == ["-7B-GGUF", "17B-GGUF", "27B-GGUF"]
    assert after(state, Key.DOWN).chosen == 17
    assert after(state, Key.BACKSPACE, Key.BACKSPACE).shown == tuple(range(30))


def test_after_a_filter_the_pointer_stays_on_its_row() -> None:
    state = after(state_of(MANY), *"/17", Key.ESCAPE)

    assert (state.chosen, state.sought, len(state.shown)) == (17, None, 30)
    assert state.top <= state.at < state.top + state.page
    assert after(state_of(), "/", Key.BACKSPACE).sought is None


@given(st.lists(st.one_of(st.sampled_from(KEYS), st.integers(min_value=-2, max_value=40))))
def test_the_pointer_is_always_a_row_inside_the_window(keys: list[str | int]) -> None:
    state = state_of(MANY)
    for key in keys:
        state = sized(state, key) if isinstance(key, int) else pressed(state, key)
        shown = state.shown
        assert state.at == 0 if not shown else 0 <= state.at < len(shown)
        assert 0 <= state.top <= state.at < state.top + state.page
        assert state.top == 0 or state.top + state.page <= len(shown), "an empty line in a list that goes on"


def test_a_taller_window_shows_more_of_what_is_above() -> None:
    state = moved(state_of(MANY, page=3), 29)

    assert (state.top, sized(state, 10).top, sized(state, 100).top, sized(state, 0).page) == (27, 20, 0, 1)


@pytest.mark.parametrize("room", [39, 59, 99, 139])
@pytest.mark.parametrize("choices", [CHOICES, MANY])
def test_no_line_is_wider_than_the_terminal(choices: list[Choice], room: int) -> None:
    lines = drawn(TITLE, choices, state_of(choices), room, unpainted)

    assert max(map(cells, lines)) <= room
    assert all((one.badge or "") in "\n".join(lines) for one in choices[:3])


def test_rows_are_aligned_and_the_badge_is_a_word() -> None:
    assert drawn("Which?", CHOICES, state_of(page=4), 70, unpainted)[1:] == [
        "> 1  Q2_K      1.4 GB   1 file  fits     smallest, loses much",
        "  2  Q4_K_M    2.0 GB   1 file  fits     recommended",
        "  3  Q8_0     13.4 GB   1 file  tight",
        "  4  F16     106.4 GB  3 files  too big",
        "1 of 4 · arrows move · / filters · Enter picks · Esc leaves",
    ]


def test_what_is_least_needed_goes_first() -> None:
    wide, narrow = layout(CHOICES, 80), layout(CHOICES, 40)
    assert wide.hint
    assert (narrow.hint, narrow.badge, narrow.columns) == (0, 7, wide.columns)
    assert layout(MANY, 40).columns == ()
    assert layout(MANY, 40).label > 30


def test_badges_have_their_colour() -> None:
    def marked(text: str, tone: Tone) -> str:
        return f"<{tone}:{text}>"

    shown = "\n".join(drawn("Which?", CHOICES, state_of(page=4), 99, marked))
    assert all(badge in shown for badge in ("<good:fits>", "<attention:tight>", "<wrong:too big>"))


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), (" 4 ", 4), ("q", 0), ("Q", 0), ("", 0), ("0", None), ("5", None), ("²", None), ("-1", None)],
)
def test_a_typed_answer_is_a_number_of_the_list(text: str, number: int | None) -> None:
    assert number_of(text, 4) == number


def test_nobody_is_asked_where_nobody_sits(capsys: pytest.CaptureFixture[str]) -> None:
    assert pick(Output(Environment(), Options()), TITLE, CHOICES) is None
    assert capsys.readouterr() == ("", "")


CODE = f"""
import click
from thorp.app.environment import Environment
from thorp.cli.options import Options
from thorp.cli.output import Output
from thorp.cli.pick import Choice, pick
rows = {[(one.label, one.columns, one.badge, one.hint) for one in CHOICES]!r} * 10
try:
    print("picked", pick(Output(Environment.read(), Options()), {TITLE!r}, [Choice(*row) for row in rows], at=START))
except click.Abort:
    print("left")
"""


PROGRAM = CODE.replace("START", "0")


def test_on_a_terminal_only_the_chosen_line_stays() -> None:
    with program(PROGRAM, columns=40, lines=10) as running:
        before = running.mode()
        running.until("1 of 40")
        running.press("\x1b[B\x1b[6~")
        running.until("8 of 40")
        running.press("\r")
        assert running.end() == 0
        assert running.mode() == before

    screen = Screen().show(running.seen)
    assert screen.lines == [">  8  F16     106.4 GB  too big", "picked 7", ""]
    assert screen.cursor
    assert screen.coloured


def test_the_pointer_starts_where_it_is_told_to() -> None:
    with program(CODE.replace("START", "17"), lines=10) as running:
        running.until("18 of 40")
        running.press("\r")
        assert running.end() == 0

    assert Screen().show(running.seen).lines[-2] == "picked 17"


def test_a_terminal_of_another_size_is_drawn_anew() -> None:
    with program(PROGRAM, columns=100, lines=10) as running:
        running.until("Esc leaves")
        running.resize(40, 8)
        running.until("En…")
        running.press("q")
        assert running.end() == 0


@pytest.mark.parametrize("keys", ["q", "\x1b", "\x03", "\x04"])
def test_who_leaves_leaves_nothing_behind(keys: str) -> None:
    with program(PROGRAM, NO_COLOR="1") as running:
        before = running.mode()
        running.until("1 of 40")
        running.press(keys)
        assert running.end() == 0
        assert running.mode() == before

    screen = Screen().show(running.seen)
    assert screen.lines == ["left", ""]
    assert screen.cursor
    assert not screen.coloured


def test_a_signal_leaves_the_terminal_as_it_was() -> None:
    with program(PROGRAM) as running:
        before = running.mode()
        running.until("1 of 40")
        running.process.terminate()
        assert running.end() == 143
        assert running.mode() == before

    assert Screen().show(running.seen).lines == [""]


@pytest.mark.parametrize(("typed", "end"), [("x\n41\n3\n", "picked 2"), ("q\n", "left"), ("\x04", "left")])
def test_a_terminal_that_only_writes_on_gets_a_list_and_asks_for_a_number(typed: str, end: str) -> None:
    with program(PROGRAM, TERM="dumb") as running:
        running.until("q to leave")
        running.press(typed)
        assert running.end() == 0

    assert " 3  Q8_0     13.4 GB" in running.seen
    assert "\x1b" not in running.seen
    assert running.seen.rstrip().endswith(end)
