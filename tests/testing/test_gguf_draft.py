from struct import pack

import pytest

from thorp.testing.gguf_draft import ARRAY, BOOL, STRING, UINT16, UINT32, DraftTensor, GgufDraft, Items, Plain, Typed


def value_of(value: Plain) -> bytes:
    """What stands behind the key."""
    return GgufDraft((("k", value),)).header()[24 + 9 :].rstrip(b"\0")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, pack("<I?", BOOL, True)),
        (7, pack("<II", UINT32, 7)),
        (0.5, pack("<If", 6, 0.5)),
        ("ab", pack("<IQ2s", STRING, 2, b"ab")),
        (Typed(UINT16, 7), pack("<IH", UINT16, 7)),
        (Typed(BOOL, b"\x02"), pack("<IB", BOOL, 2)),
        (Items(UINT32, [1, 2]), pack("<IIQII", ARRAY, UINT32, 2, 1, 2)),
        (Items(STRING, ["a"], claimed=9), pack("<IIQQ1s", ARRAY, STRING, 9, 1, b"a")),
        (Items(ARRAY, [Items(UINT32, [5])]), pack("<IIQIQI", ARRAY, ARRAY, 1, UINT32, 1, 5)),
    ],
)
def test_values_are_written_with_their_kind(value: Plain, written: bytes) -> None:
    assert value_of(value) == written.rstrip(b"\0")


def test_a_file_begins_with_its_counts_and_ends_on_its_alignment() -> None:
    draft = GgufDraft((("k", 1),), (DraftTensor("a", (3,)), DraftTensor("b", (1,))), claimed_tensors=9)

    assert draft.header()[:24] == b"GGUF" + pack("<IQQ", 3, 9, 1)
    assert len(draft.header()) % 32 == 0
    assert len(draft.whole()) == len(draft.header()) + 64
    assert pack("<IQIQ", 1, 1, 0, 32) in draft.header()


def test_version_1_is_narrow() -> None:
    written = b"GGUF" + pack("<IIII1sII1s", 1, 0, 1, 1, b"k", STRING, 1, b"v")

    assert GgufDraft((("k", "v"),), version=1).header()[: len(written)] == written
