"""Numbered attack A11: hostile JSON ends in one bounded error."""

import json
import os
import subprocess
import sys

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.wire.strictjson import DEEPEST, LARGEST, MOST_MEMBERS, BadJsonError, parse_json


def values() -> st.SearchStrategy[object]:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-LARGEST - 1, LARGEST)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]))
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=40,
    )


@given(values(), st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_agrees_with_the_standard_parser_on_valid_documents(value, ascii_only, indent):
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse_json(body) == json.loads(body)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_give_a_value_or_its_own_error(body):
    try:
        value = parse_json(body)
    except BadJsonError:
        return
    assert value == json.loads(body)


@given(st.text(alphabet='[]{}",:\\\\0123456789-e.u aNn\n', max_size=60))
def test_json_like_text_is_judged_as_the_standard_parser_does(text):
    body = text.encode()
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(BadJsonError):
            parse_json(body)
        return
    if refused := refusal_of(body):
        assert "occurs twice" in refused or "64 bits" in refused
    else:
        assert parse_json(body) == expected


def refusal_of(body):
    try:
        parse_json(body)
    except BadJsonError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "zero-length"),
        (b"{", "This is not JSON"),
        (b'{"a": 1,}', "line 1"),
        (b"1 2", "This is not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xfe\xff\x00{\x00}", "not UTF-8"),
        (b"NaN", "NaN"),
        (b'{"a": [1, -Infinity]}', "NaN"),
        (b"1e999", "too large"),
        (rb'"\ud800"', "surrogate"),
        (rb'{"\udc00x": 1}', "surrogate"),
        (b"9223372036854775808", "64 bits"),
        (b'{"a": -9223372036854775809}', "64 bits"),
        (b"[1, " + b"9" * 5000 + b"]", "64 bits"),
        (b'{"a": 1, "a": 1}', '"a" occurs twice'),
        (rb'[{"b": {"a": 1, "\u0061": 2}}]', '"a" occurs twice'),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "deeper than 64"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b"[" + b"1," * MOST_MEMBERS + b"1]", "more than 200000"),
        (b"[" + b'"",' * (MOST_MEMBERS * 3) + b"1]", "more than 200000"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_A11_hostile_documents_are_refused_with_their_reason(body, says):
    with pytest.raises(BadJsonError, match=says.replace("(", r"\(")):
        parse_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"[" + b"1," * (MOST_MEMBERS - 1) + b"1]",
        b"[" + b"{}," * (MOST_MEMBERS - 1) + b"[]]",
        b"[9223372036854775807, -9223372036854775808, 0.1234567890123456789012345, 1e-30]",
        rb'{"a\"}]": "\\", "\\\"[{": "9999999999999999999999,\""}',
        rb'"\ud83c\udfe1"',
        b'  {"a" : [ ] }  ',
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_documents_at_the_limits_are_taken(body):
    assert parse_json(body) == json.loads(body)


HOSTILE_EIGHT_MEBIBYTES = r"""
import contextlib, pathlib
from thorp.wire.strictjson import BadJsonError, parse_json

MIB = 1024 * 1024
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

with contextlib.suppress(BadJsonError):
    parse_json(b"[")
before = peak()
for unit in (b"[", b'"', b"{", b"9", b"]", b",", b"[]", b'{"k":1},', b'"",', rb"\"", b"\\"):
    for start, end in ((b"", b""), (b'["', b'"]')):
        body = start + unit * (8 * MIB // len(unit)) + end
        with contextlib.suppress(BadJsonError):
            parse_json(body)
print((peak() - before) * 1024 // (8 * MIB))
"""


def test_A11_eight_mebibytes_of_anything_cost_a_small_multiple_of_it():
    measured = subprocess.run(
        [sys.executable, "-c", HOSTILE_EIGHT_MEBIBYTES],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert int(measured.stdout) < 8
