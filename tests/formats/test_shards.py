from dataclasses import replace
from pathlib import Path

import pytest

from thorp.formats.errors import BadShardsError
from thorp.formats.gguf import read_gguf
from thorp.formats.safetensors import read_safetensors
from thorp.formats.shards import (
    Part,
    gguf_part,
    refuse_too_many,
    refuse_too_many_tensors,
    refuse_unless_whole,
    safetensors_part,
)
from thorp.testing.gguf import tiny_gguf
from thorp.testing.gguf_draft import DraftTensor, GgufDraft, Plain
from thorp.testing.safetensors import tiny_safetensors


def parts_of(*paths: Path) -> list[Part]:
    return [gguf_part(path.name, read_gguf(path)) for path in paths]


def three(folder: Path, name: str = "m.gguf", **wishes: object) -> list[Part]:
    return parts_of(*tiny_gguf(folder / name, shards=3, **wishes))


def refused(parts: list[Part], complaint: str) -> None:
    with pytest.raises(BadShardsError, match=complaint):
        refuse_unless_whole(parts)


def part(folder: Path, name: str, **split: Plain) -> Part:
    keys = tuple((f"split.{key.replace('_', '.')}", value) for key, value in split.items())
    (folder / name).write_bytes(GgufDraft(keys, (DraftTensor("a", (8,)),)).whole())
    return parts_of(folder / name)[0]


def test_all_parts_of_one_model_are_whole_in_any_order(tmp_path: Path) -> None:
    parts = three(tmp_path)

    refuse_unless_whole(parts)
    refuse_unless_whole(parts[::-1])
    assert [one.number for one in parts] == [0, 1, 2]


def test_a_file_that_says_nothing_of_parts_is_whole(tmp_path: Path) -> None:
    refuse_unless_whole(parts_of(*tiny_gguf(tmp_path / "m.gguf")))
    refuse_unless_whole([part(tmp_path, "n.gguf", count=1, no=0)])


def test_D49_a_missing_part_is_named(tmp_path: Path) -> None:
    first, _, last = three(tmp_path)

    refused([first, last], r"`m-00001-of-00003\.gguf` is one of 3 parts, and these are missing: 00002\.")
    refused([last], r"these are missing: 00001, 00002\.")


def test_D49_of_many_missing_parts_some_are_named(tmp_path: Path) -> None:
    refused([part(tmp_path, "a", no=0, count=100)], "00002, 00003, 00004, 00005, 00006 and 94 more")


def test_D49_mixed_models_are_refused(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)
    larger = three(tmp_path, layers=2)
    other = three(tmp_path, "other.gguf")
    whole = parts_of(*tiny_gguf(tmp_path / "whole.gguf"))

    refused([first, larger[1], third], r"counts 21 tensors in all parts and `m-00001-of-00003\.gguf` 12")
    refused([first, other[1], third], r"`other-00002-of-00003\.gguf` is a part of another model than `m-00001")
    refused([first, second, third, *whole], r"`whole\.gguf` is a whole model and no part of another")
    refused([first, replace(second, identity=("qwen2", "q")), third], "is a part of another model than")
    refused([*whole, *whole], "is a whole model")


def test_D49_a_wrong_count_is_refused(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)

    refused([first, replace(second, count=4), third], "belongs to 4 parts and `m-00001-of-00003.gguf` to 3")
    with pytest.raises(BadShardsError, match="is part 1 of 2 by its header and not what its name says"):
        part(tmp_path, "m-00001-of-00003.gguf", no=0, count=2)
    with pytest.raises(BadShardsError, match="is part 1 of 1 by its header"):
        part(tmp_path, "n-00001-of-00003.gguf")
    with pytest.raises(BadShardsError, match="claims to be part 3 of 3, counted from 0"):
        part(tmp_path, "a", no=3, count=3)
    with pytest.raises(BadShardsError, match="claims to be part None of 3"):
        part(tmp_path, "a", count=3)


def test_D49_a_wrong_number_of_tensors_is_refused(tmp_path: Path) -> None:
    one = part(tmp_path, "a", no=0, count=2, tensors_count=7)
    two = replace(one, name="b", number=1, tensors=frozenset({1}))

    refused([one, two], "promises 7 tensors in all parts; there are 2")


def test_D49_99999_parts_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(BadShardsError, match=r"came with 99998 other files; 1000 parts are the most"):
        refuse_too_many([f"m-{number:05d}-of-99999.gguf" for number in range(1, 100_000)])
    with pytest.raises(BadShardsError, match="claims to be one of 99999 parts; 1000 are the most"):
        part(tmp_path, "m-00001-of-99999.gguf", no=0, count=99_999)
    (path,) = tiny_safetensors(tmp_path / "m-00001-of-99999.safetensors")
    with pytest.raises(BadShardsError, match="claims to be one of 99999 parts"):
        safetensors_part(path.name, read_safetensors(path))


def test_D49_a_part_that_comes_twice_is_refused(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)

    refused([first, second, second, third], "is there twice: part 2 of 3")


def test_D49_parts_with_the_same_tensors_are_refused(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)

    refused([first, replace(second, tensors=first.tensors), third], "has tensors that another part has too")


def test_too_many_tensors_of_all_parts_are_refused() -> None:
    refuse_too_many_tensors("b", 400_000)
    with pytest.raises(BadShardsError, match="`b` and the parts before it have 400001 tensors"):
        refuse_too_many_tensors("b", 400_001)


def test_names_alone_tell_the_parts_of_safetensors(tmp_path: Path) -> None:
    paths = tiny_safetensors(tmp_path / "model.safetensors", shards=2)
    parts = [safetensors_part(path.name, read_safetensors(path)) for path in paths]

    refuse_unless_whole(parts)
    refused(parts[1:], "these are missing: 00001")
    with pytest.raises(BadShardsError, match="claims to be part 3 of 2"):
        safetensors_part("model-00003-of-00002.safetensors", read_safetensors(paths[0]))
