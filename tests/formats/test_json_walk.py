import mmap
from typing import NoReturn

import pytest

from thorp.formats.json_walk import LONGEST_STRING, JsonWalk


class RefusedError(Exception):
    pass


def refuse(complaint: str) -> NoReturn:
    raise RefusedError(complaint)


def over(text: bytes) -> JsonWalk:
    data = mmap.mmap(-1, len(text) + 4)
    data[:] = b"--" + text + b'"}'  # what stands behind the end is never seen
    return JsonWalk(data, 2, 2 + len(text), refuse)


def test_members_come_one_by_one_with_their_values() -> None:
    walk = over(b' { "a" : "x\\u00e9\\n" , "b":{"n":[1,2]} }  ')
    members = walk.members()

    assert (next(members), walk.string()) == ("a", "xé\n")
    assert (next(members), walk.small_object("b")) == ("b", {"n": [1, 2]})
    assert list(members) == []
    walk.finish()


def test_an_empty_object_has_no_members() -> None:
    assert list(over(b"{}").members()) == []


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"a"', b'{"a":"b"', b'{"a":"b",', b'{"a":"b",}', b"{,}", b'{"a" "b"}']
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    walk = over(text)

    with pytest.raises(RefusedError, match="no JSON"):
        list(zip(walk.members(), iter(walk.string, None), strict=False))


@pytest.mark.parametrize("text", [b'"a', b'"a\nb"', b'"\\x"', b'"\\u12"', b"'a'", b"12", b'"\\'])
def test_what_is_no_string_is_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="no JSON"):
        over(text).string()


@pytest.mark.parametrize("text", [b'"\\ud800"', b'"a\\udfff\\ud800"'])
def test_half_a_character_is_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="half a character"):
        over(text).string()


def test_a_long_string_is_passed_over_and_a_long_key_refused() -> None:
    long = b'"' + b"\\n" * LONGEST_STRING + b'"'

    assert over(long).string() is None
    with pytest.raises(RefusedError, match="a key of more than a mebibyte"):
        next(over(b"{" + long + b":1}").members())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b'{"a":{}}', "an object of a few numbers"),
        (b"[1]", "an object of a few numbers"),
        (b'{"a":[' + b"1," * 5000 + b"1]}", "an object of a few numbers"),
        (b'{"a":[1}', "in JSON as it should be"),
        (b'{"a":' + b"[" * 4000 + b"}", "in JSON as it should be"),
        (b'{"a":1,"a":2}', "says something twice about it"),
    ],
)
def test_what_is_no_small_object_is_refused(text: bytes, complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint):
        over(text).small_object("it")


@pytest.mark.parametrize("text", [b"\xff", b"a\xc3", b"x" * 65535 + b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf_8_are_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="no UTF-8"):
        over(text).check_utf8()


def test_a_character_that_spans_two_chunks_is_fine() -> None:
    over(b"x" * 65535 + "é".encode()).check_utf8()


def test_something_behind_the_document_is_refused() -> None:
    with pytest.raises(RefusedError, match="behind the JSON"):
        over(b" {}").finish()
