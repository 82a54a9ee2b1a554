import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thorp.formats.facts import read_facts
from thorp.formats.gguf import read_gguf
from thorp.testing.gguf import (
    BLOCK,
    big_vocabulary_gguf,
    header_only_gguf,
    pad,
    part_names,
    projector_gguf,
    small_halves,
    tiny_gguf,
)
from thorp.testing.gguf_draft import I8, DraftTensor

PROGRAM = Path(__file__).with_name("one_completion.py")


def answer(path: Path) -> dict[str, str]:
    """What llama.cpp makes of the model, in a process of its own."""
    done = subprocess.run([sys.executable, PROGRAM, path], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, same, other = (tiny_gguf(tmp_path / str(n), seed=seed)[0].read_bytes() for n, seed in enumerate((1, 1, 2)))

    assert one == same
    assert one != other
    assert len(one) == len(other)


def test_llama_cpp_loads_a_tiny_model_and_answers_the_same_twice(tmp_path: Path) -> None:
    (path,) = tiny_gguf(tmp_path / "tiny.gguf")

    found = answer(path)

    assert found["text"]
    assert found["chat"]
    assert answer(path) == found


def test_llama_cpp_loads_the_parts_of_a_model_as_it_loads_the_whole(tmp_path: Path) -> None:
    (whole,) = tiny_gguf(tmp_path / "tiny.gguf", layers=2, kv_heads=2, vocabulary=300)
    parts = tiny_gguf(tmp_path / "tiny.gguf", layers=2, kv_heads=2, vocabulary=300, shards=3)

    assert [path.name for path in parts] == [f"tiny-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert answer(parts[0]) == answer(whole)


def test_llama_cpp_never_sees_the_padding(tmp_path: Path) -> None:
    (bare,) = tiny_gguf(tmp_path / "bare.gguf")
    (padded,) = tiny_gguf(tmp_path / "padded.gguf", pad_to=3 * BLOCK + 17)

    assert padded.stat().st_size == 3 * BLOCK + 17
    assert read_facts([padded]) == read_facts([bare])
    assert answer(padded) == answer(bare)


def test_every_mebibyte_of_the_padding_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    pad(path, 4 * BLOCK, seed=1)
    body = path.read_bytes()

    assert len({hashlib.sha256(body[place : place + BLOCK]).digest() for place in range(0, len(body), BLOCK)}) == 4
    with pytest.raises(ValueError, match="has 1 bytes more than"):
        pad(path, 4 * BLOCK - 1)


def test_parts_are_not_padded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one file"):
        tiny_gguf(tmp_path / "x.gguf", shards=2, pad_to=10_000_000)


def test_a_vocabulary_holds_every_byte(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="259 tokens or more, not 258"):
        tiny_gguf(tmp_path / "x.gguf", vocabulary=258)


def test_weights_are_small_and_below_zero_as_often_as_above() -> None:
    values = np.frombuffer(small_halves(10_000, 0, "a"), np.float16).astype(np.float32)

    assert (np.abs(values).min(), np.abs(values).max()) >= (1 / 16, 1 / 16)
    assert np.abs(values).max() < 1 / 8
    assert abs(values.mean()) < 0.01


def test_what_a_model_says_about_itself_can_be_chosen(tmp_path: Path) -> None:
    (path,) = tiny_gguf(
        tmp_path / "x.gguf",
        architecture="qwen3",
        name="Other",
        context=512,
        template="{{ x }}",
        metadata={"general.license": "mit", "qwen3.rope.freq_base": 10.0},
        tensors=[DraftTensor("more", (7,), I8)],
    )

    metadata = read_gguf(path).metadata
    assert (metadata["qwen3.context_length"], metadata["general.name"], metadata["general.license"]) == (
        512,
        "Other",
        "mit",
    )
    assert metadata["tokenizer.chat_template"] == "{{ x }}"
    assert read_gguf(path).tensors[-1].name == "more"


def test_other_headers(tmp_path: Path) -> None:
    assert (
        read_gguf(header_only_gguf(tmp_path / "a", "bert", {"bert.block_count": 3})).metadata["bert.block_count"] == 3
    )
    assert read_facts([projector_gguf(tmp_path / "b", audio=True)]).is_projector
    big = read_gguf(big_vocabulary_gguf(tmp_path / "c", tokens=10, merges=20, tensors=9))
    assert (len(big.tensors), big.tensors[0].kind) == (9, "f16")


def test_names_of_parts() -> None:
    assert part_names("a.b.gguf", 2) == ["a.b-00001-of-00002.gguf", "a.b-00002-of-00002.gguf"]
