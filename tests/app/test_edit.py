import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.app.config import NotTomlError, flat
from thorp.app.edit import edited, set_key, unset_key
from thorp.app.settings import KEYS
from thorp.base.settings import UnknownKeyError, Value, plain

TEXT = """\
# mine
[local]
port = 9001  # because

# other nodes
[mesh]
port = 7090
"""


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        (TEXT, "local.port", 9002, TEXT.replace("9001", "9002")),
        (TEXT, "local.hosts", ("a", "b"), TEXT.replace("because\n", 'because\nhosts = ["a", "b"]\n')),
        (TEXT, "mesh.host", "::", TEXT + 'host = "::"\n'),
        (TEXT, "logs.level", "debug", TEXT + '\n[logs]\nlevel = "debug"\n'),
        ("", "local.open_inference", False, "[local]\nopen_inference = false\n"),
        ("# mine\n", "local.port", 1, "# mine\n\n[local]\nport = 1\n"),
        ("local.port = 1 # one\n", "local.port", 2, "local.port = 2 # one\n"),
        ("local.port = 1\n", "local.host", "::1", 'local.port = 1\nlocal.host = "::1"\n'),
        ("local = {port = 1} # one\n", "local.port", 2, "local = {port = 2} # one\n"),
        ("[local]\r\nport = 1\r\n", "local.port", 2, "[local]\r\nport = 2\r\n"),
        ("[local]\nport = 1", "local.port", 2, "[local]\nport = 2"),
        ('[local]\nhosts = [\n  "a", # first\n]\n', "local.hosts", (), "[local]\nhosts = []\n"),
    ],
)
def test_a_set_key_changes_its_value_and_nothing_else(before: str, key: str, value: Value, after: str) -> None:
    assert set_key(before, key, value) == after
    assert set_key(after, key, value) == after


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        (TEXT, "local.port", TEXT.replace("port = 9001  # because\n", "")),
        (TEXT, "local.host", TEXT),
        ("local.port = 1\n# after\n", "local.port", "# after\n"),
        ("[local]\nprot = 1\nport = 2\n", "local.prot", "[local]\nport = 2\n"),
        ("nonsense = 1\n", "nonsense", ""),
        ("[local]\nport = 1\n", "local.port", ""),
        ("[local]\nport = 1\n\n[mesh]\nport = 2\n", "local.port", "[mesh]\nport = 2\n"),
        ("[mesh]\nport = 2\n\n[local]\nport = 1\n", "local.port", "[mesh]\nport = 2\n"),
        ("[mesh]\r\nport = 2\r\n\r\n[local]\r\nport = 1\r\n", "local.port", "[mesh]\r\nport = 2\r\n"),
        ("[local] # mine\nport = 1\n", "local.port", "[local] # mine\n"),
        ("[local]\n# mine\nport = 1\n", "local.port", "[local]\n# mine\n"),
        ("local = {port = 1}\n", "local.port", ""),
        ("local = {port = 1} # mine\n", "local.port", "local = {} # mine\n"),
        ("[a.b]\nc = 1\n[d]\ne = 1\n", "a.b.c", "[d]\ne = 1\n"),
        ("[[a.b]]\n[d]\n[a]\n", "a.b", "[d]\n[a]\n"),
        ("[a.b]\nc = 1\n[d]\ne = 1\n[a.f]\ng = 1\n", "a.b.c", "[d]\ne = 1\n[a.f]\ng = 1\n"),
        ("", "local.port", ""),
    ],
)
def test_an_unset_key_is_gone_even_if_it_was_a_mistake(before: str, key: str, after: str) -> None:
    assert unset_key(before, key) == after


def test_a_section_that_comes_and_goes_leaves_nothing_behind() -> None:
    text = TEXT
    for _ in range(3):
        text = unset_key(set_key(text, "logs.level", "debug"), "logs.level")
    assert text == TEXT


def test_an_unknown_key_is_neither_set_nor_unset() -> None:
    with pytest.raises(UnknownKeyError, match=r"Did you mean `local.port`"):
        set_key(TEXT, "local.prot", 1)
    with pytest.raises(UnknownKeyError):
        unset_key(TEXT, "local.prot")


@pytest.mark.parametrize("text", ["[local", "local = 1\n", "local = 1\nlocal = 2\n"])
def test_a_file_in_which_nothing_can_be_set_is_refused(text: str) -> None:
    with pytest.raises(NotTomlError):
        set_key(text, "local.port", 1)


def test_several_changes_are_one_edit() -> None:
    assert edited(TEXT, {"local.port": None, "mesh.port": 1}) == TEXT.replace("port = 9001  # because\n", "").replace(
        "7090", "1"
    )


plain_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
some_values: dict[str, st.SearchStrategy[Value]] = {
    "node.name": plain_text,
    "local.port": st.integers(0, 65535),
    "local.open_inference": st.booleans(),
    "local.hosts": st.lists(plain_text, max_size=3).map(tuple),
    "mesh.port": st.integers(0, 65535),
    "logs.level": st.sampled_from(["debug", "info"]),
}
some_changes = st.lists(
    st.sampled_from(sorted(some_values)).flatmap(
        lambda key: st.tuples(st.just(key), st.one_of(st.none(), some_values[key]))
    ),
    max_size=8,
)


@given(st.sampled_from([TEXT, "", "# mine\nlocal.port = 1\n\n# end", "mesh = {}\n[local]\n# nothing\n"]), some_changes)
def test_after_any_changes_the_file_says_what_was_asked_for(text: str, changes: list[tuple[str, Value | None]]) -> None:
    before = text
    wanted = dict(flat(tomllib.loads(text)))
    for key, value in changes:
        text = edited(text, {key: value})
        wanted[key] = None if value is None else plain(value)

    found = dict(flat(tomllib.loads(text)))
    assert {key: value for key, value in found.items() if value != {}} == {
        key: value for key, value in wanted.items() if value not in (None, {})
    }
    assert set(found) <= set(KEYS) | {"local", "mesh", "node", "logs"}
    for comment in ("# mine\n", "# other nodes\n", "# end", "# nothing\n"):
        assert (comment in text) == (comment in before)
