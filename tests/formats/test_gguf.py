from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from struct import pack

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.hostile import DEPTH, MOST_MEMORY, STRIDE, peak_of
from thorp.formats.errors import BadGgufError, BigEndianError, FormatError
from thorp.formats.gguf import Tensor, read_gguf
from thorp.formats.gguf_walk import ArrayFacts, LongText
from thorp.testing.gguf import big_vocabulary_gguf, projector_gguf, tiny_gguf
from thorp.testing.gguf_draft import ARRAY, BOOL, F16, STRING, UINT32, UINT64, DraftTensor, GgufDraft, Items, Typed

FAR = 64 * 1024
GOOD = GgufDraft(
    (("general.architecture", "llama"), ("llama.block_count", 2)),
    (DraftTensor("a.weight", (8, 4)), DraftTensor("b.weight", (16,), F16)),
)
FIRST, SECOND = GOOD.tensors


def written(folder: Path, draft: GgufDraft | bytes) -> Path:
    path = folder / "x.gguf"
    path.write_bytes(draft if isinstance(draft, bytes) else draft.whole())
    return path


def test_a_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    draft = GOOD.with_keys(
        ("yes", True), ("half", 0.5), ("some", Items(UINT32, [1, 2])), ("tokens", Items(STRING, "ab"))
    )

    header = read_gguf(written(tmp_path, draft))

    assert dict(header.metadata) == {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "yes": True,
        "half": 0.5,
        "some": ArrayFacts("uint32", 2, (1, 2)),
        "tokens": ArrayFacts("string", 2),
    }
    assert header.tensors == (Tensor("a.weight", (8, 4), "f32", 0, 128), Tensor("b.weight", (16,), "f16", 128, 32))
    assert (header.version, header.alignment, header.file_size) == (3, 32, len(draft.whole()))
    assert header.data_start == len(draft.header())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_D47_three_versions_are_read(tmp_path: Path, version: int) -> None:
    header = read_gguf(written(tmp_path, replace(GOOD, version=version)))

    assert (header.version, len(header.metadata), len(header.tensors)) == (version, 2, 2)
    assert header.tensors[0].shape == (8, 4)


@pytest.mark.parametrize("version", [0, 4, 99, 2**32 - 1])
def test_D47_other_versions_are_refused(tmp_path: Path, version: int) -> None:
    with pytest.raises(BadGgufError, match=f"is GGUF version {version}; Thorp reads versions 1 to 3"):
        read_gguf(written(tmp_path, replace(GOOD, version=version)))


@pytest.mark.parametrize("start", [b"GGUF" + pack(">I", 3), b"GGUF" + pack(">I", 1), b"FUGG" + pack(">I", 3)])
def test_D47_big_endian_is_refused_with_a_clear_word(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(BigEndianError, match=r"`x\.gguf` is GGUF for big-endian machines\. Take the little-endian"):
        read_gguf(written(tmp_path, start + GOOD.whole()[8:]))


def test_another_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match="does not begin as a GGUF file does"):
        read_gguf(written(tmp_path, b"<!DOCTYPE html>" + bytes(100)))


@pytest.mark.parametrize("count", [1_000_001, 2**63, 2**64 - 1])
def test_D47_impossible_counts_are_refused(tmp_path: Path, count: int) -> None:
    for draft in (replace(GOOD, claimed_keys=count), replace(GOOD, claimed_tensors=count)):
        with pytest.raises(BadGgufError, match=f"claims {count} "):
            read_gguf(written(tmp_path, draft))
    with pytest.raises(BadGgufError, match=f"claims {count} elements in `k`"):
        read_gguf(written(tmp_path, GOOD.with_keys(("k", Items(UINT32, [1], claimed=count)))))


def test_D47_counts_beyond_the_content_are_refused(tmp_path: Path) -> None:
    for draft in (replace(GOOD, claimed_keys=1_000_000), replace(GOOD, claimed_tensors=1_000_000)):
        with pytest.raises(BadGgufError):
            read_gguf(written(tmp_path, draft))


@pytest.mark.parametrize("length", [1000, 64 * 1024 * 1024, 2**63, 2**64 - 1])
def test_D47_a_text_longer_than_the_file_is_refused(tmp_path: Path, length: int) -> None:
    for keys in (pack("<Q", length), pack("<Q", 1) + b"k" + pack("<IQ", STRING, length)):
        with pytest.raises(BadGgufError):
            read_gguf(written(tmp_path, b"GGUF" + pack("<IQQ", 3, 0, 1) + keys + bytes(64)))


def test_D47_nested_arrays_end_somewhere(tmp_path: Path) -> None:
    value = Items(UINT32, [1])
    for _ in range(3):
        value = Items(ARRAY, [value])

    assert read_gguf(written(tmp_path, GOOD.with_keys(("k", value)))).metadata["k"] == ArrayFacts("array", 1)
    with pytest.raises(BadGgufError, match="deeper than 4"):
        read_gguf(written(tmp_path, GOOD.with_keys(("k", Items(ARRAY, [value])))))
    with pytest.raises(BadGgufError):  # a thousand levels do not exhaust the stack
        read_gguf(written(tmp_path, GOOD.with_keys(("k", Typed(ARRAY, pack("<IQ", ARRAY, 1) * 1000)))))


@pytest.mark.parametrize("tensor", [DraftTensor("z", (8, 0), data=b""), DraftTensor("z", (), data=b"")])
def test_D47_zero_dimensions_are_refused(tmp_path: Path, tensor: DraftTensor) -> None:
    with pytest.raises(BadGgufError, match="`z`"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(FIRST, tensor))))


def test_D47_five_dimensions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match="5 dimensions"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(DraftTensor("z", (1,) * 5),))))


@pytest.mark.parametrize("shape", [(2**32, 2**32), (2**63,), (2**62, 2), (2**16,) * 4, (2**64 - 1,) * 4])
def test_D47_a_product_that_overflows_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(BadGgufError, match="impossibly many elements"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(DraftTensor("z", shape, data=bytes(64)),))))


@pytest.mark.parametrize("alignment", [0, 3, 24, 2**32 - 1])
def test_D47_an_alignment_that_is_no_power_of_two_is_refused(tmp_path: Path, alignment: int) -> None:
    with pytest.raises(BadGgufError, match=f"an alignment of {alignment}, which is no power of two"):
        read_gguf(written(tmp_path, GOOD.with_keys(("general.alignment", alignment))))


@pytest.mark.parametrize("value", ["32", True, Typed(UINT64, 32), 32.0])
def test_D47_an_alignment_of_another_kind_is_refused(tmp_path: Path, value: str | bool | float | Typed) -> None:
    with pytest.raises(BadGgufError, match="alignment"):
        read_gguf(written(tmp_path, GOOD.with_keys(("general.alignment", value))))


def test_an_alignment_of_its_own_is_kept_to(tmp_path: Path) -> None:
    draft = replace(GOOD, alignment=4096).with_keys(("general.alignment", 4096))

    header = read_gguf(written(tmp_path, draft))

    assert (header.alignment, header.data_start, header.tensors[1].offset) == (4096, 4096, 4096)


def test_D47_tensors_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match=r"places the tensor `b\.weight` over `a\.weight`"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(FIRST, replace(SECOND, offset=96)))))


@pytest.mark.parametrize("offset", [4096, 2**62, 2**64 - 32])
def test_D47_an_offset_beyond_the_end_is_refused(tmp_path: Path, offset: int) -> None:
    with pytest.raises(BadGgufError, match=r"bytes before the end of its tensor `b\.weight`"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(FIRST, replace(SECOND, offset=offset)))))


def test_an_offset_off_its_alignment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match="off its alignment of 32"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(FIRST, replace(SECOND, offset=130)))))


@pytest.mark.parametrize("kind", [4, 5, 31, 36, 42, 2**32 - 1])
def test_D47_an_unknown_kind_of_tensor_is_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(BadGgufError, match=rf"`a\.weight` of the unknown kind {kind}"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(replace(FIRST, claimed_kind=kind),))))


def test_D47_rows_that_do_not_fill_blocks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match="do not fill whole blocks of q4_k"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(replace(FIRST, claimed_kind=12),))))


def test_D47_duplicate_keys_and_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGgufError, match=r"has the key `llama\.block_count` twice"):
        read_gguf(written(tmp_path, GOOD.with_keys(("llama.block_count", 2))))
    with pytest.raises(BadGgufError, match=r"has the tensor `a\.weight` twice"):
        read_gguf(written(tmp_path, replace(GOOD, tensors=(FIRST, FIRST))))


def test_D48_a_chat_template_of_10_megabytes_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.with_keys(("tokenizer.chat_template", "{{ x }}" * 1_500_000)))

    peak = peak_of(lambda: read_gguf(path))

    assert read_gguf(path).metadata["tokenizer.chat_template"] == LongText(10_500_000)
    assert peak < 2 * 1024 * 1024


def test_a_vocabulary_of_150000_tokens_and_as_many_merges_is_not_built(tmp_path: Path) -> None:
    path = big_vocabulary_gguf(tmp_path / "x.gguf")

    peak = peak_of(lambda: read_gguf(path))

    assert read_gguf(path).metadata["tokenizer.ggml.tokens"] == ArrayFacts("string", 150_000)
    assert peak < 1024 * 1024


def many(count: int) -> bytes:
    return b"".join(pack("<Q8sIB", 8, b"%08d" % number, BOOL, 1) for number in range(count))


def test_a_header_of_nothing_but_keys_cannot_fill_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path, b"GGUF" + pack("<IQQ", 3, 0, 200_000) + many(200_000))

    def refused() -> None:
        with pytest.raises(BadGgufError, match="would fill the memory"):
            read_gguf(path)

    assert peak_of(refused) < MOST_MEMORY


def test_a_header_of_nothing_but_tensors_cannot_fill_the_memory(tmp_path: Path) -> None:
    one = [pack("<Q8sIQIQ", 8, b"%08d" % number, 1, 8, 0, 32 * number) for number in range(80_000)]
    path = written(tmp_path, b"GGUF" + pack("<IQQ", 3, 80_000, 0) + b"".join(one))

    def refused() -> None:
        with pytest.raises(BadGgufError, match="would fill the memory"):
            read_gguf(path)

    assert peak_of(refused) < MOST_MEMORY


def boundaries(path: Path) -> list[int]:
    """Where a field of a header, or a part of one, begins."""
    reader, found = GGUFReader(path), list[int]()
    for field in (*reader.fields.values(), *(tensor.field for tensor in reader.tensors)):
        position = field.offset
        for part in field.parts:
            found.append(position)
            position += part.nbytes
    return [*found, reader.data_offset]


def test_D46_truncated_anywhere_in_the_first_64_kilobytes_is_refused(tmp_path: Path) -> None:
    (path,) = tiny_gguf(tmp_path / "x.gguf", vocabulary=5000)
    assert read_gguf(path).data_start > FAR

    for size in range(FAR, -1, -STRIDE):
        with path.open("r+b") as file:
            file.truncate(size)
        with pytest.raises(FormatError):
            read_gguf(path)


def test_D46_truncated_at_every_boundary_is_refused(tmp_path: Path) -> None:
    (path,) = tiny_gguf(tmp_path / "x.gguf")
    end = read_gguf(path).file_size
    edges = {size for edge in boundaries(path) for size in (edge - 1, edge, edge + 1)}

    for size in sorted((*edges, end - 1), reverse=True):
        with path.open("r+b") as file:
            file.truncate(size)
        with pytest.raises(FormatError):
            read_gguf(path)


SMALL = GOOD.with_keys(
    ("general.alignment", 32),
    ("tokens", Items(STRING, ["a", "bc", "def"])),
    ("nested", Items(ARRAY, [Items(UINT32, [1, 2]), Items(STRING, ["x"])])),
).whole()
NASTY = [bytes(8), b"\xff" * 8, pack("<Q", 2**63), pack("<Q", 1_000_000), pack("<II", 9, 9), pack("<Q", 2**26)]
WOUNDS = st.lists(
    st.tuples(st.integers(0, len(SMALL) - 1), st.sampled_from(NASTY) | st.binary(min_size=1, max_size=9)), max_size=6
)


@settings(max_examples=150 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wounds=WOUNDS, end=st.integers(1, len(SMALL)) | st.none(), behind=st.binary(max_size=64))
def test_D47_a_wounded_file_is_read_or_refused_and_never_fills_the_memory(
    tmp_path: Path, wounds: Sequence[tuple[int, bytes]], end: int | None, behind: bytes
) -> None:
    body = bytearray(SMALL)
    for place, bytes_ in wounds:
        body[place : place + len(bytes_)] = bytes_
    path = written(tmp_path, bytes(body[:end]) + behind)

    def read() -> None:
        with suppress(FormatError):
            read_gguf(path)

    assert peak_of(read) < MOST_MEMORY


def agrees(path: Path) -> None:
    """With the reader of the reference implementation, on everything that ours keeps."""
    ours, theirs = read_gguf(path), GGUFReader(path)
    fields = {key: field for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert list(ours.metadata) == list(fields)
    for key, field in fields.items():
        value = ours.metadata[key]
        if isinstance(value, ArrayFacts):
            assert value.kind == field.types[1].name.lower()
            assert value.count == len(field.data)
            assert value.values in ((), tuple(field.contents()))
        else:
            assert value == field.contents()
    assert (ours.alignment, ours.data_start) == (theirs.alignment, theirs.data_offset)
    assert [(one.name, one.kind, one.elements, one.size) for one in ours.tensors] == [
        (one.name, one.tensor_type.name.lower(), one.n_elements, one.n_bytes) for one in theirs.tensors
    ]
    assert [one.shape for one in ours.tensors] == [tuple(one.shape.tolist()) for one in theirs.tensors]
    assert [ours.data_start + one.offset for one in ours.tensors] == [one.data_offset for one in theirs.tensors]


def test_agrees_with_the_reference_reader_on_our_own_files(tmp_path: Path) -> None:
    for path in (
        *tiny_gguf(tmp_path / "one.gguf", layers=2),
        *tiny_gguf(tmp_path / "parts.gguf", shards=3, vocabulary=300),
        projector_gguf(tmp_path / "mmproj.gguf"),
        big_vocabulary_gguf(tmp_path / "big.gguf", tokens=500, merges=500, tensors=20),
        written(tmp_path, replace(GOOD, alignment=64).with_keys(("general.alignment", 64))),
    ):
        agrees(path)


def test_agrees_with_the_reference_reader_on_files_of_the_reference_writer(tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    for kind in (*range(8), 10, 11, 12):
        writer.add_key_value(f"scalar.{kind}", 1, GGUFValueType(kind))
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("long", list(range(3000)))
    writer.add_array("words", ["a", "ü", ""])
    for kind in GGMLQuantizationType:
        block, width = gguf.GGML_QUANT_SIZES[kind]
        if kind.name not in ("F64", "I8", "I16", "I32", "I64"):
            writer.add_tensor(f"of.{kind.name}", np.zeros((3, 256 // block * width), np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    agrees(path)
