import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.hostile import DEPTH, MOST_MEMORY, peak_of
from thorp.formats.errors import BadSafetensorsError, FormatError
from thorp.formats.safetensors import LONGEST_HEADER, Span, read_safetensors
from thorp.testing.safetensors import safetensors_bytes, tiny_safetensors

FIRST = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
SECOND = {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}


def written(folder: Path, header: object, size: int = 32) -> Path:
    path = folder / "x.safetensors"
    path.write_bytes(safetensors_bytes(header, bytes(size)))
    return path


def refused(path: Path, complaint: str) -> None:
    with pytest.raises(BadSafetensorsError, match=complaint):
        read_safetensors(path)


def test_a_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    header = read_safetensors(written(tmp_path, {"__metadata__": {"format": "pt"}, "b": SECOND, "a": FIRST}))

    assert header.metadata == {"format": "pt"}
    assert header.tensors == (Span("b", (4,), "BF16", 24, 32), Span("a", (2, 3), "F32", 0, 24))
    assert header.file_size == header.data_start + 32
    assert [span.elements for span in header.tensors] == [4, 6]


def test_a_scalar_an_empty_tensor_and_no_tensor_at_all_are_fine(tmp_path: Path) -> None:
    scalar = {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}
    empty = {"dtype": "F16", "shape": [0, 5], "data_offsets": [8, 8]}

    assert [one.elements for one in read_safetensors(written(tmp_path, {"s": scalar, "e": empty}, 8)).tensors] == [1, 0]
    assert read_safetensors(written(tmp_path, b"{}      ", 0)).tensors == ()


def test_dtypes_of_less_than_a_byte_fill_whole_bytes(tmp_path: Path) -> None:
    fine = {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}

    assert read_safetensors(written(tmp_path, {"a": fine}, 2)).tensors[0].elements == 4
    refused(written(tmp_path, {"a": fine | {"shape": [3]}}, 2), "do not fill its span")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, LONGEST_HEADER + 1])
def test_D50_a_header_of_impossible_length_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(pack("<Q", length) + b"{}")

    refused(path, f"claims a header of {length} bytes; 100000000 are the most")


@pytest.mark.parametrize("body", [b"x", pack("<Q", 3) + b"{}", pack("<Q", LONGEST_HEADER) + b"{}"])
def test_D50_a_header_that_ends_too_soon_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(body)

    refused(path, "ends in the middle of its header")


def test_D50_overlap_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, {"a": FIRST, "b": SECOND | {"data_offsets": [20, 28]}}, 28), "`b` that overlaps")
    refused(written(tmp_path, {"a": FIRST, "b": FIRST}, 24), "that overlaps another one")


def test_D50_holes_are_refused(tmp_path: Path) -> None:
    refused(
        written(tmp_path, {"a": FIRST, "b": SECOND | {"data_offsets": [32, 40]}}, 40), "`b` that lies behind a hole"
    )
    refused(written(tmp_path, {"b": SECOND}), "`b` that lies behind a hole")


def test_D50_a_file_that_is_shorter_or_longer_than_its_tensors_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, {"a": FIRST}, 20), "ends 4 bytes before the end of its last tensor")
    refused(written(tmp_path, {"a": FIRST}, 30), "has 6 bytes behind its last tensor")


def test_D50_what_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    refused(written(tmp_path, b'{"\xff":{}}'), "no UTF-8")
    refused(written(tmp_path, b"{}" + b" " * 70_000 + b"\xc3"), "no UTF-8")
    refused(written(tmp_path, b'{"\\ud800":{}}'), "half a character")


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F16"},
        {"dtype": "F64"},
        {"shape": [2, 4]},
        {"shape": []},
        {"shape": [2**63 - 1, 2**63 - 1]},
        {"data_offsets": [0, 25]},
    ],
)
def test_D50_dtypes_and_shapes_that_lie_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    refused(written(tmp_path, {"a": FIRST | change}), "whose shape and dtype do not fill its span")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"dtype": "F128"}, "an unknown dtype"),
        ({"dtype": ["F32"]}, "an unknown dtype"),
        ({"shape": [-2, -3]}, "impossible shape"),
        ({"shape": [2.0, 3]}, "impossible shape"),
        ({"shape": [True, 6]}, "impossible shape"),
        ({"shape": [2**63]}, "impossible shape"),
        ({"shape": 6}, "impossible shape"),
        ({"shape": [1] * 33}, "impossible shape"),
        ({"data_offsets": [24, 0]}, "impossible data_offsets"),
        ({"data_offsets": [0]}, "impossible data_offsets"),
        ({"data_offsets": [0, 10**4000]}, "impossible data_offsets"),
        ({"data_offsets": None}, "impossible data_offsets"),
        ({"more": 1}, "and no more"),
    ],
)
def test_D50_descriptions_that_make_no_sense_are_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    refused(written(tmp_path, {"a": FIRST | change}), complaint)


@pytest.mark.parametrize(
    "header", [b"[]", b" {}", b"null", b"\x00", b'"a"', b"{} x", b'{"a":1}', b'{"a":{"shape":{}}}']
)
def test_what_is_no_object_of_tensors_is_refused(tmp_path: Path, header: bytes) -> None:
    refused(written(tmp_path, header, 0), "JSON|does not")


def test_duplicates_are_refused_at_every_level(tmp_path: Path) -> None:
    one = json.dumps(FIRST).encode()

    refused(written(tmp_path, b'{"a":' + one + b',"\\u0061":' + one + b"}"), "has the tensor `a` twice")
    refused(written(tmp_path, b'{"a":{"dtype":"F32","dtype":"F32"}}'), "says something twice about the tensor `a`")
    refused(written(tmp_path, b'{"__metadata__":{},"__metadata__":{}}'), "has `__metadata__` twice")
    refused(written(tmp_path, b'{"__metadata__":{"k":"v","k":"v"}}'), "has the key `k` twice in `__metadata__`")


@pytest.mark.parametrize("value", [b"1", b"null", b"[]", b"{}", b'{"k":1}', b'{"k":{}}', b'{"k":null}', b'{"k":"v'])
def test_metadata_maps_texts_to_texts_only(tmp_path: Path, value: bytes) -> None:
    path = written(tmp_path, b'{"__metadata__":' + value + b"}", 0)

    if value == b"{}":
        assert read_safetensors(path).metadata == {}
    else:
        refused(path, "no JSON as it should be")


def test_a_large_header_costs_no_memory_of_its_size(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"__metadata__":{"notes":"' + b"x" * 20_000_000 + b'"}}', 0)

    assert peak_of(lambda: read_safetensors(path)) < 1024 * 1024
    assert read_safetensors(path).metadata == {}


def test_a_header_of_nothing_but_names_cannot_fill_the_memory(tmp_path: Path) -> None:
    names = ",".join(f'"{number:02000}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for number in range(5_000))
    path = written(tmp_path, f"{{{names}}}".encode(), 0)

    assert peak_of(lambda: refused(path, "would fill the memory")) < MOST_MEMORY


def test_what_our_builder_writes_is_read(tmp_path: Path) -> None:
    (path,) = tiny_safetensors(tmp_path / "model.safetensors", dtype="F16")

    assert {one.dtype for one in read_safetensors(path).tensors} == {"F16"}


SMALL = safetensors_bytes({"__metadata__": {"format": "pt"}, "a": FIRST, "b": SECOND}, bytes(32))
NASTY = [
    b"[" * 9,
    b"{" * 9,
    b'"',
    b"\\",
    b"\\ud800",
    b"9" * 20,
    b"1e999",
    b"\xff",
    bytes(8),
    b"-1",
    b"null",
    b"NaN",
    b",",
]
WOUNDS = st.lists(
    st.tuples(st.integers(0, len(SMALL) - 1), st.sampled_from(NASTY) | st.binary(min_size=1, max_size=9)), max_size=6
)


@settings(max_examples=150 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wounds=WOUNDS, end=st.integers(1, len(SMALL)) | st.none())
def test_D50_a_wounded_file_is_read_or_refused_and_never_fills_the_memory(
    tmp_path: Path, wounds: Sequence[tuple[int, bytes]], end: int | None
) -> None:
    body = bytearray(SMALL)
    for place, bytes_ in wounds:
        body[place : place + len(bytes_)] = bytes_
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(body[:end]))

    def read() -> None:
        with suppress(FormatError):
            read_safetensors(path)

    assert peak_of(read) < MOST_MEMORY


def test_D50_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(SMALL)

    for size in range(len(SMALL) - 1, -1, -1):
        with path.open("r+b") as file:
            file.truncate(size)
        with pytest.raises(FormatError):
            read_safetensors(path)
