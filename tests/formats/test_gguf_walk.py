import mmap
from struct import Struct, pack

import pytest

from thorp.formats.errors import BadGgufError
from thorp.formats.gguf_kinds import ARRAY, STRING, UINT32
from thorp.formats.gguf_walk import LONGEST_TEXT, ArrayFacts, LongText, Walk


def walk_over(body: bytes, size: int = 0) -> Walk:
    """Over an anonymous map; a large one costs no memory until it is read."""
    data = mmap.mmap(-1, max(size, len(body)))
    data[: len(body)] = body
    return Walk("x.gguf", data)


def text(body: bytes) -> bytes:
    return pack("<Q", len(body)) + body


def test_numbers_and_names_come_in_order() -> None:
    walk = walk_over(pack("<IQ", 7, 2**40) + text(b"key"))

    assert (walk.u32(), walk.u64(), walk.name("key", 10), walk.position) == (7, 2**40, "key", 23)


def test_a_step_beyond_the_end_is_refused() -> None:
    with pytest.raises(BadGgufError, match=r"`x\.gguf` ends in the middle of its header, at byte 3"):
        walk_over(b"abc").u32()


def test_narrow_lengths_are_those_of_version_1() -> None:
    walk = walk_over(pack("<I", 3) + b"abc")
    walk.be_narrow()

    assert walk.value(STRING, "k") == "abc"


@pytest.mark.parametrize("size", [LONGEST_TEXT + 1, 2**63, 2**64 - 1])
def test_a_text_of_more_than_64_mebibytes_is_refused(size: int) -> None:
    with pytest.raises(BadGgufError, match=f"a text of {size} bytes"):
        walk_over(pack("<Q", size)).value(STRING, "k")


def test_a_long_text_is_passed_over() -> None:
    size = 10 * 1024 * 1024
    walk = walk_over(pack("<Q", size), 8 + size)

    assert walk.value(STRING, "tokenizer.chat_template") == LongText(size)
    assert walk.position == 8 + size


def test_a_text_that_is_no_utf_8_is_readable_all_the_same() -> None:
    assert walk_over(text(b"a\xffb")).value(STRING, "general.name") == "a\ufffdb"


def test_short_arrays_of_numbers_are_kept_and_long_ones_counted() -> None:
    short = walk_over(pack("<IQ3I", UINT32, 3, 1, 2, 3))
    long = walk_over(pack("<IQ", UINT32, 2000), 12 + 8000)

    assert short.value(ARRAY, "k") == ArrayFacts("uint32", 3, (1, 2, 3))
    assert long.value(ARRAY, "k") == ArrayFacts("uint32", 2000)


def test_texts_of_an_array_are_passed_over() -> None:
    walk = walk_over(pack("<IQ", STRING, 3) + text(b"a") + text(b"") + text(b"bcd") + b"rest")

    assert walk.value(ARRAY, "k") == ArrayFacts("string", 3)
    assert walk.position == 12 + 24 + 4


@pytest.mark.parametrize("size", [100, 2**62, 2**63, 2**64 - 1])
@pytest.mark.parametrize("before", [0, 1])
def test_a_text_of_an_array_that_reaches_beyond_the_end_is_refused(size: int, before: int) -> None:
    walk = walk_over(pack("<IQ", STRING, before + 2) + text(b"a") * before + pack("<Q", size) + text(b"last"))

    with pytest.raises(BadGgufError, match="ends in the middle"):
        walk.value(ARRAY, "k")


def test_a_text_of_an_array_may_not_be_longer_than_another() -> None:
    size = LONGEST_TEXT + 1
    walk = walk_over(pack("<IQ", STRING, 1) + pack("<Q", size), 20 + size)

    with pytest.raises(BadGgufError, match=f"a text of {size} bytes in `k`"):
        walk.value(ARRAY, "k")


def test_many_short_texts_may_be_longer_together() -> None:
    half = LONGEST_TEXT // 2 + 1
    body = pack("<IQ", STRING, 2) + pack("<Q", half)
    walk = walk_over(body, len(body) + half + 8 + half)
    Struct("<Q").pack_into(walk._data, len(body) + half, half)

    assert walk.value(ARRAY, "k") == ArrayFacts("string", 2)


def test_D47_arrays_of_arrays_have_a_depth() -> None:
    def nested(depth: int) -> bytes:
        return pack("<IQ", ARRAY, 1) * (depth - 1) + pack("<IQ", UINT32, 1) + pack("<I", 9)

    assert walk_over(nested(4)).value(ARRAY, "k") == ArrayFacts("array", 1)
    with pytest.raises(BadGgufError, match="nests the array `k` deeper than 4"):
        walk_over(nested(5)).value(ARRAY, "k")


def test_D47_counts_have_a_bound_also_where_the_file_would_be_long_enough() -> None:
    with pytest.raises(BadGgufError, match="claims 1000001 elements in `k`"):
        walk_over(pack("<IQ", 0, 1_000_001), 2_000_000).value(ARRAY, "k")


def test_all_arrays_together_have_a_bound() -> None:
    inner = pack("<IQ", STRING, 1_000_000) + bytes(8_000_000)
    walk = walk_over(pack("<IQ", ARRAY, 3) + inner * 2)

    with pytest.raises(BadGgufError, match="too many elements"):
        walk.value(ARRAY, "k")


def test_what_is_kept_has_a_bound() -> None:
    walk = walk_over(b"", 1)

    with pytest.raises(BadGgufError, match="would fill the memory"):
        walk.keep(2**30)


@pytest.mark.parametrize(
    ("body", "kind", "complaint"),
    [
        (b"\x02", 7, "a truth value of 2"),
        (b"", 13, "a value of the unknown kind 13"),
        (pack("<IQ", 99, 1), ARRAY, "an array `k` of the unknown kind 99"),
    ],
)
def test_values_that_make_no_sense_are_refused(body: bytes, kind: int, complaint: str) -> None:
    with pytest.raises(BadGgufError, match=complaint):
        walk_over(body, 64).value(kind, "k")


def test_a_name_that_is_too_long_or_no_utf_8_is_refused() -> None:
    with pytest.raises(BadGgufError, match="a key of 11 bytes; 10 are the most"):
        walk_over(text(b"a" * 11)).name("key", 10)
    with pytest.raises(BadGgufError, match="a key that is no UTF-8"):
        walk_over(text(b"\xff")).name("key", 10)
