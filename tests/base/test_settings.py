from dataclasses import dataclass, field
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.settings import (
    BadValueError,
    SettingField,
    Shape,
    UnknownKeyError,
    Value,
    changed,
    compose,
    fields_of,
    lookup,
    parse,
    parse_either,
    parse_text,
    plain,
    setting,
    text_of,
    values_of,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


LOUD = Shape("a word in capitals", "words in capitals", str.isupper)


@dataclass(frozen=True, slots=True)
class Door:
    name: str = setting("front", "What people call it.")
    width: int = setting(90, "Centimetres.", minimum=60, maximum=240)
    share: float = setting(0.5, "How far it opens.", minimum=0)
    open: bool = setting(False, "Whether it stands open.", live=True)
    colour: Colour = setting(Colour.RED, "Its paint.", live=True)
    side: str = setting("left", "Where the handle is.", choices=("left", "right"))
    guests: tuple[str, ...] = setting((), "Who may enter.", live=True)
    sign: str = setting("", "What is written on it.", maximum=5)
    motto: str = setting("", "What is carved above it.", shape=LOUD)
    bells: tuple[str, ...] = setting((), "What rings.", shape=LOUD)


@dataclass(frozen=True, slots=True)
class House:
    door: Door = field(default_factory=Door)


KNOWN = {one.key: one for one in fields_of(House)}


def known(name: str) -> SettingField:
    return KNOWN[f"door.{name}"]


def test_a_class_describes_its_settings_in_order() -> None:
    assert list(KNOWN) == [
        f"door.{name}"
        for name in ("name", "width", "share", "open", "colour", "side", "guests", "sign", "motto", "bells")
    ]
    width = known("width")
    assert (width.default, width.help, width.live, width.minimum, width.maximum) == (90, "Centimetres.", False, 60, 240)
    assert known("open").live
    assert known("colour").choices == ("red", "blue")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("name", "text"),
        ("width", "a whole number from 60 to 240"),
        ("share", "a number, 0 or more"),
        ("open", "true or false"),
        ("colour", "one of red, blue"),
        ("guests", "a list of words"),
        ("sign", "text of at most 5 characters"),
    ],
)
def test_what_is_allowed_is_said_in_words(name: str, allowed: str) -> None:
    assert known(name).allowed == allowed


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("name", "back", "back"),
        ("width", 100, 100),
        ("share", 1, 1.0),
        ("open", True, True),
        ("colour", "blue", Colour.BLUE),
        ("side", "right", "right"),
        ("sign", "größe", "größe"),
        ("guests", ["ann", "ben"], ("ann", "ben")),
    ],
)
def test_a_value_of_the_right_kind_is_taken(name: str, raw: object, value: Value) -> None:
    parsed = parse(known(name), raw)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("name", 5),
        ("name", "two\nlines"),
        ("name", "\x9b2J"),
        ("name", "half \udcff"),
        ("sign", "sixsix"),
        ("width", "100"),
        ("width", True),
        ("width", 100.0),
        ("width", 59),
        ("width", 241),
        ("share", float("nan")),
        ("share", float("inf")),
        ("share", "1"),
        ("open", 1),
        ("open", "true"),
        ("colour", "green"),
        ("side", "top"),
        ("guests", "ann"),
        ("guests", ["ann", 5]),
        ("guests", ["ann\x00"]),
        ("guests", {"ann": 1}),
        ("name", None),
    ],
)
def test_a_value_of_another_kind_is_refused_with_key_value_and_what_is_allowed(name: str, raw: object) -> None:
    with pytest.raises(BadValueError) as caught:
        parse(known(name), raw, "config.toml, line 3")

    message = caught.value.message
    assert f"`door.{name}` (config.toml, line 3)" in message
    assert known(name).allowed in message
    assert (raw if isinstance(raw, str) else repr(raw)) in message
    assert caught.value.details["key"] == f"door.{name}"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", " back ", "back"),
        ("width", "100", 100),
        ("share", "0.25", 0.25),
        ("open", "Yes", True),
        ("open", "off", False),
        ("colour", "blue", Colour.BLUE),
        ("guests", "ann, ben,", ("ann", "ben")),
        ("guests", "", ()),
    ],
)
def test_text_is_read_by_the_kind_of_the_setting(name: str, text: str, value: Value) -> None:
    assert parse_text(known(name), text) == value
    assert parse_either(known(name), text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("width", "wide"), ("width", "1_00"), ("width", "٩٠"), ("width", "9" * 5000), ("share", "nan"), ("open", "2")],
)
def test_text_that_says_something_else_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadValueError, match=r"it takes"):
        parse_text(known(name), text)


def test_a_face_may_send_text_or_the_typed_value() -> None:
    assert parse_either(known("width"), 100) == parse_either(known("width"), "100") == 100


words = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=12)


some_values = st.fixed_dictionaries(
    {},
    optional={
        "door.name": words,
        "door.width": st.integers(60, 240),
        "door.share": st.floats(0, 1e9),
        "door.open": st.booleans(),
        "door.colour": st.sampled_from(Colour),
        "door.guests": st.lists(words, max_size=4).map(tuple),
    },
)


@given(some_values)
def test_values_survive_every_way_of_writing_them(values: dict[str, Value]) -> None:
    house = compose(House, values)

    for key, value in values_of(house).items():
        assert parse(KNOWN[key], plain(value)) == value
        assert parse_text(KNOWN[key], text_of(value)) == value
        assert value == values.get(key, KNOWN[key].default)


def test_only_what_differs_is_changed() -> None:
    before = compose(House, {"door.width": 100})

    assert changed(before, before) == ()
    assert changed(before, compose(House, {"door.open": True})) == ("door.width", "door.open")


def test_an_unknown_key_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UnknownKeyError, match=r"no setting `door.widht` \(flag\)\. Did you mean `door.width`\?"):
        lookup(KNOWN, "door.widht", "flag")
    with pytest.raises(UnknownKeyError):
        compose(House, {"door.widht": 5})


def test_a_section_is_no_setting() -> None:
    with pytest.raises(UnknownKeyError, match=r"It is a section; its settings are door\.name, door\.width"):
        lookup(KNOWN, "door")


def test_a_setting_of_an_impossible_type_or_default_is_caught_when_described() -> None:
    @dataclass(frozen=True)
    class Strange:
        parts: tuple[int, ...] = setting((), "Numbers.")

    @dataclass(frozen=True)
    class Bare:
        name: str = "front"

    @dataclass(frozen=True)
    class Wide:
        width: int = setting(900, "Centimetres.", maximum=240)

    with pytest.raises(TypeError):
        fields_of(Strange)
    with pytest.raises(TypeError, match=r"not made by setting"):
        fields_of(Bare)
    with pytest.raises(BadValueError):
        fields_of(Wide)


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("motto", "hush", r"`door.motto` cannot be `hush`; it takes a word in capitals\."),
        ("bells", ["DING", "dong"], r"it takes a list of words in capitals\."),
    ],
)
def test_what_does_not_look_as_declared_is_refused(name: str, raw: object, says: str) -> None:
    with pytest.raises(BadValueError, match=says):
        parse(known(name), raw)


def test_what_looks_as_declared_is_taken_and_so_is_the_default() -> None:
    assert parse(known("motto"), "HO") == "HO"
    assert parse_text(known("motto"), "") == ""
    assert parse_text(known("bells"), "DING,DONG") == ("DING", "DONG")


@pytest.mark.parametrize(("name", "raw"), [("width", "90"), ("share", "0.5"), ("open", "true"), ("width", "9000")])
def test_a_number_in_quotes_only_has_to_lose_them(name: str, raw: str) -> None:
    with pytest.raises(BadValueError, match=rf"is the text `{raw}`; it takes .* Leave out the quotes\.$"):
        parse(known(name), raw)


@pytest.mark.parametrize(("name", "raw"), [("width", "wide"), ("sign", "too long")])
def test_without_its_quotes_a_wrong_text_would_be_no_better(name: str, raw: str) -> None:
    with pytest.raises(BadValueError, match=rf"cannot be `{raw}`; it takes [^.]*\.$"):
        parse(known(name), raw)
