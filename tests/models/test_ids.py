import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.ids import (
    LONGEST_ID,
    ModelId,
    Shard,
    artifact_name,
    derive_model_id,
    is_projector,
    parse_model_id,
    quant_of,
    shard_of,
)

VECTORS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("vectors_ids.toml").read_text())["name"]
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
BASES = st.sampled_from(["mistral", "llama-3.2", "qwen2.5", "deepseek-r1-distill-qwen", "phi-3.5-mini", "gemma-3n-e4b"])
SIZES = st.sampled_from(["7b", "0.5b", "8x22b", "30b-a3b", "137m", "1026.5b"])
VARIANTS = st.sampled_from(["base", "instruct", "instruct-2507", "16e-instruct", "it", "chat-16k"])
QUANTS = st.sampled_from(["q4_k_m", "ud-q4_k_xl", "i1-iq3_xxs", "q4_k_m-imx", "q4_0_4_4", "bf16", "mxfp4", "tq1_0"])

WORDS = """
q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q2_k_s q3_k_s q3_k_m q3_k_l q3_k_xl q4_k_s q4_k_m q4_k_l q5_k_s q5_k_m q6_k q6_k_l
q8_k q8_k_xl iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq3_xxs iq3_xs iq3_s iq3_m iq4_xs iq4_nl iq4_ks iq4_kss
iq2_kt  tq1_0 tq2_0 q1_0 q4_0_4_4 q4_0_4_8 q4_0_8_8 iq4_nl_4_4 q8_0_l f16 fp16 f32 bf16 f64 fp8 mxfp4 mxfp4_moe
nvfp4 i2_s  q4 q8 ud-q4_k_xl ud-iq1_s ud-tq1_0 i1-q4_k_m i1-iq3_xxs q4_k_m-imx q4_k_m-imat gptq-int4 awq int8
4bit
"""


def derived(one: dict[str, Any]) -> ModelId:
    return derive_model_id(one["repo"], one["file"], parameters=one.get("parameters"), file_type=one.get("file_type"))


@pytest.mark.parametrize("one", VECTORS, ids=lambda one: f"{one['repo']}/{one['file']}")
def test_names_as_they_are_found(one: dict[str, Any]) -> None:
    assert derived(one) == one["id"]


@pytest.mark.parametrize("one", VECTORS, ids=lambda one: f"{one['repo']}/{one['file']}")
def test_what_names_say_is_never_changed_by_a_hub_or_a_header(one: dict[str, Any]) -> None:
    bare = derive_model_id(one["repo"], one["file"])
    other = derive_model_id(one["repo"], one["file"], parameters=999_999_999_999, file_type="Q8_0")

    assert (bare.base, bare.variant) == (other.base, other.variant)
    assert bare.size in {"unknown", other.size}
    assert bare.quant in {"unknown", other.quant}


def test_all_shards_have_one_id() -> None:
    names = [f"Qwen3-8B-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]

    assert {derive_model_id("Qwen/Qwen3-8B-GGUF", name) for name in names} == {"qwen3:8b:base:q4_k_m"}
    assert {artifact_name(name) for name in names} == {"Qwen3-8B-Q4_K_M"}


@given(NAMES, NAMES, st.none() | st.integers(), st.none() | NAMES)
def test_an_id_is_always_canonical(repo: str, filename: str, parameters: int | None, file_type: str | None) -> None:
    found = derive_model_id(repo, filename, parameters=parameters, file_type=file_type)

    assert found.count(":") == 3
    assert found == found.lower()
    assert len(found) <= LONGEST_ID
    assert parse_model_id(found) == found
    assert (found.base, found.size, found.variant, found.quant) == tuple(found.split(":"))


@given(NAMES, NAMES, NAMES)
def test_an_id_never_depends_on_a_folder_or_an_owner(folder: str, repo: str, filename: str) -> None:
    plain = derive_model_id(repo, filename)

    assert derive_model_id(f"{folder}/{repo}", f"{folder}/{filename}") == plain or filename == "_"
    assert quant_of(f"{folder}/{filename}") == quant_of(filename)


@given(BASES, SIZES, VARIANTS, QUANTS)
def test_a_file_named_by_an_id_has_that_id(base: str, size: str, variant: str, quant: str) -> None:
    name = f"{base}-{size}-{variant}.{quant}.gguf"

    assert derive_model_id("any/Other-3B-Chat-GGUF", name, parameters=5) == f"{base}:{size}:{variant}:{quant}"
    assert derive_model_id("any/Other-3B-Chat-GGUF", name.upper()) == f"{base}:{size}:{variant}:{quant}"


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        (None, "unknown"),
        (0, "unknown"),
        (-7, "unknown"),
        (10**40, "unknown"),
        (1, "1m"),
        (136_731_648, "137m"),
        (999_499_999, "999m"),
        (999_600_000, "1b"),
        (1_000_000_000, "1b"),
        (3_820_000_000, "3.8b"),
        (6_950_000_000, "7b"),
        (671_026_419_200, "671b"),
    ],
)
def test_a_number_of_parameters_is_said_as_names_say_it(parameters: int | None, size: str) -> None:
    assert derive_model_id("a/b", "phi-2.gguf", parameters=parameters).size == size


@pytest.mark.parametrize(
    "word",
    WORDS.split(),
)
def test_words_for_quantisations(word: str) -> None:
    for name in (f"Foo-7B-{word.upper()}.gguf", f"foo.{word}.gguf", f"foo_{word}-00001-of-00002.gguf", f"{word}.gguf"):
        assert quant_of(name) == word


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Foo-7B-Q4-K-M.gguf", "q4_k_m"),
        ("Foo-7B.Q4_K_M.imx.gguf", "q4_k_m-imx"),
        ("Foo-f16-Q6_K.gguf", "q6_k"),
        ("Foo-Q6_K-f32.gguf", "f32"),
        ("Q8_0/Foo-7B.gguf", None),
        ("Foo-7B-Instruct.gguf", None),
        ("Fooq4_0.gguf", None),
        ("bf16foo.gguf", None),
        ("", None),
    ],
)
def test_a_quantisation_is_the_last_word_that_is_one(name: str, quant: str | None) -> None:
    assert quant_of(name) == quant


@pytest.mark.parametrize(
    ("name", "shard"),
    [
        ("a-00001-of-00003.gguf", Shard(1, 3, "a")),
        ("deep/er/a-Q4_0-00002-of-00003.GGUF", Shard(2, 3, "deep/er/a-Q4_0")),
        ("model-00001-of-00002.safetensors", Shard(1, 2, "model")),
        ("a-00007-of-00003.gguf", Shard(7, 3, "a")),
        ("a-99999-of-99999.gguf", Shard(99999, 99999, "a")),
        ("a-00000-of-00000.gguf", None),
        ("a-1-of-3.gguf", None),
        ("a-000001-of-000003.gguf", None),
        ("-00001-of-00003.gguf", None),
        ("a-0000\u0661-of-00003.gguf", None),
        ("a.gguf", None),
    ],
)
def test_D49_what_a_name_says_about_its_set(name: str, shard: Shard | None) -> None:
    assert shard_of(name) == shard


@pytest.mark.parametrize(
    ("name", "artifact"),
    [
        ("dir/Foo-7B.Q4_K_M.gguf", "Foo-7B.Q4_K_M"),
        ("Foo-00001-of-00002.gguf", "Foo"),
        ("qwen2.5", "qwen2.5"),
        ("_", "_"),
    ],
)
def test_the_name_of_an_artifact(name: str, artifact: str) -> None:
    assert artifact_name(name) == artifact


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("mmproj-model-f16.gguf", True),
        ("x/mmproj-BF16.gguf", True),
        ("Qwen2-VL-7B-Instruct-mmproj-f16.gguf", True),
        ("llava.mmproj.gguf", True),
        ("mmproj/model.gguf", False),
        ("commprojects-7b.gguf", False),
    ],
)
def test_projectors_are_known_by_name(name: str, answer: bool) -> None:
    assert is_projector(name) is answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:b:c",
        "a:b:c:d:e",
        "A:b:c:d",
        "a::c:d",
        "a:b:c:d ",
        "a:b:c:d\n",
        ".a:b:c:d",
        "a/x:b:c:d",
        "ä:b:c:d",
        f"{'a' * 600}:b:c:d",
    ],
)
def test_what_is_no_canonical_id(text: str) -> None:
    assert parse_model_id(text) is None


def test_a_canonical_id_has_parts() -> None:
    found = parse_model_id("qwen3:30b-a3b:instruct-2507:ud-q4_k_xl")

    assert found is not None
    assert (found.base, found.size, found.variant, found.quant) == ("qwen3", "30b-a3b", "instruct-2507", "ud-q4_k_xl")


@given(st.text("0123456789.-_abxqk", max_size=2000))
def test_long_names_cost_little(name: str) -> None:
    assert parse_model_id(derive_model_id(name, f"{name * 5}.gguf"))
