from pathlib import Path

import pytest

from thorp.formats.errors import BadGgufError, BadShardsError, PickleRefusedError, UnknownFormatError
from thorp.formats.facts import ModelFacts, read_facts
from thorp.testing.gguf import big_vocabulary_gguf, header_only_gguf, projector_gguf, tiny_gguf
from thorp.testing.gguf_draft import INT32, STRING, DraftTensor, GgufDraft, Items, Plain
from thorp.testing.safetensors import tiny_config, tiny_safetensors


def test_the_facts_of_a_gguf(tmp_path: Path) -> None:
    facts = read_facts(tiny_gguf(tmp_path / "x.gguf", kv_heads=2, metadata={"general.license": "apache-2.0"}))

    assert facts == ModelFacts(
        format="gguf",
        architecture="llama",
        parameters=70_208,
        context_length=256,
        quant="f16",
        name="tiny",
        license="apache-2.0",
        modalities=("text",),
        is_projector=False,
        tensor_bytes=140_800,
        layers=1,
        heads=4,
        kv_heads=2,
        key_length=16,
        value_length=16,
        vocabulary=259,
        embedding_length=64,
    )


def test_parts_say_together_what_the_whole_says(tmp_path: Path) -> None:
    whole = read_facts(tiny_gguf(tmp_path / "a.gguf", layers=3))
    parts = tiny_gguf(tmp_path / "b.gguf", layers=3, shards=4)

    assert read_facts(parts) == whole
    assert read_facts(parts[::-1]) == whole


def test_D49_a_set_with_a_missing_part_is_refused(tmp_path: Path) -> None:
    parts = tiny_gguf(tmp_path / "x.gguf", shards=3)

    with pytest.raises(BadShardsError, match="these are missing: 00001"):
        read_facts(parts[1:])


def test_D49_99999_files_are_refused_unopened(tmp_path: Path) -> None:
    with pytest.raises(BadShardsError, match="came with 99998 other files"):
        read_facts([tmp_path / f"m-{number:05d}-of-99999.gguf" for number in range(1, 100_000)])


@pytest.mark.parametrize(("file_type", "quant"), [(15, "q4_k_m"), (32, "bf16"), (38, "mxfp4"), (1024 + 7, "q8_0")])
def test_the_file_type_names_the_quant(tmp_path: Path, file_type: int, quant: str) -> None:
    assert read_facts(tiny_gguf(tmp_path / "x.gguf", file_type=file_type)).quant == quant


def test_most_tensors_name_it_where_the_file_type_does_not(tmp_path: Path) -> None:
    assert read_facts(tiny_gguf(tmp_path / "x.gguf", file_type=999)).quant == "f16"
    (tmp_path / "y.gguf").write_bytes(GgufDraft((), (DraftTensor("a", (4,)),)).whole())
    assert read_facts([tmp_path / "y.gguf"]).quant == "f32"


def of_header(folder: Path, architecture: str, **keys: Plain) -> ModelFacts:
    metadata = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    return read_facts([header_only_gguf(folder / "x.gguf", architecture, metadata)])


def test_a_header_without_tensors_leaves_open_what_it_does_not_say(tmp_path: Path) -> None:
    facts = of_header(tmp_path, "qwen3")

    assert (facts.architecture, facts.modalities, facts.tensor_bytes) == ("qwen3", ("text",), 0)
    assert {facts.parameters, facts.quant, facts.heads, facts.key_length, facts.vocabulary, facts.name} == {None}


def test_heads_that_differ_between_layers(tmp_path: Path) -> None:
    heads, kv_heads = Items(INT32, [8, 16, 8]), Items(INT32, [0, 8, 2])

    facts = of_header(tmp_path, "lfm2", attention__head_count=heads, attention__head_count_kv=kv_heads)

    assert (facts.heads, facts.kv_heads) == (16, 4)


def test_lengths_of_keys_and_values_may_differ_from_the_width(tmp_path: Path) -> None:
    facts = of_header(
        tmp_path,
        "deepseek2",
        embedding_length=64,
        attention__head_count=4,
        attention__key_length=192,
        attention__value_length=128,
    )

    assert (facts.key_length, facts.value_length, facts.kv_heads) == (192, 128, 4)


def test_values_of_another_kind_than_expected_are_left_out(tmp_path: Path) -> None:
    facts = of_header(
        tmp_path,
        "llama",
        context_length="many",
        block_count=True,
        embedding_length=0,
        attention__head_count=Items(STRING, ["4"]),
    )

    assert {facts.context_length, facts.layers, facts.embedding_length, facts.heads} == {None}
    assert read_facts([header_only_gguf(tmp_path / "y.gguf", "llama", {"general.name": 7})]).name is None


@pytest.mark.parametrize(
    ("vision", "audio", "modalities"),
    [
        (True, False, ("vision",)),
        (False, True, ("audio",)),
        (True, True, ("vision", "audio")),
        (False, False, ("vision",)),
    ],
)
def test_a_projector_says_what_it_projects(
    tmp_path: Path, vision: bool, audio: bool, modalities: tuple[str, ...]
) -> None:
    facts = read_facts([projector_gguf(tmp_path / "mmproj.gguf", vision=vision, audio=audio)])

    assert (facts.is_projector, facts.modalities) == (True, modalities)


def test_models_that_embed_are_told_by_architecture_or_pooling(tmp_path: Path) -> None:
    assert of_header(tmp_path, "nomic-bert").modalities == ("embedding",)
    assert of_header(tmp_path, "qwen3", pooling_type=3).modalities == ("embedding",)
    assert of_header(tmp_path, "qwen3", pooling_type=0).modalities == ("text",)
    assert of_header(tmp_path, "wavtokenizer-dec").modalities == ("audio",)


def test_a_large_vocabulary_is_counted(tmp_path: Path) -> None:
    assert read_facts([big_vocabulary_gguf(tmp_path / "x.gguf")]).vocabulary == 150_000


def test_the_facts_of_safetensors_with_their_configuration(tmp_path: Path) -> None:
    paths = tiny_safetensors(tmp_path / "model.safetensors", shards=2)

    facts = read_facts([tiny_config(tmp_path / "config.json"), *paths, tmp_path / "tokenizer.json"])

    assert facts == ModelFacts(
        format="safetensors",
        architecture="llama",
        parameters=3104,
        context_length=256,
        quant="bf16",
        name=None,
        license=None,
        modalities=("text",),
        is_projector=False,
        tensor_bytes=6208,
        layers=1,
        heads=4,
        kv_heads=2,
        key_length=8,
        value_length=8,
        vocabulary=64,
        embedding_length=32,
    )


def test_safetensors_alone_say_little(tmp_path: Path) -> None:
    facts = read_facts(tiny_safetensors(tmp_path / "model.safetensors", dtype="F16"))

    assert (facts.quant, facts.parameters, facts.architecture, facts.layers) == ("f16", 3104, None, None)


def test_a_configuration_may_name_more_senses(tmp_path: Path) -> None:
    (weights,) = tiny_safetensors(tmp_path / "model.safetensors")

    def modalities(**more: object) -> tuple[str, ...]:
        return read_facts([weights, tiny_config(tmp_path / "config.json", **more)]).modalities

    assert modalities(vision_config={}) == ("text", "vision")
    assert modalities(model_type="bert") == ("embedding",)
    assert modalities(model_type="whisper") == ("audio",)


def test_D55_code_beside_safetensors_is_neither_read_nor_run(tmp_path: Path) -> None:
    (weights,) = tiny_safetensors(tmp_path / "model.safetensors")
    config = tiny_config(tmp_path / "config.json", auto_map={"AutoModel": "modeling_evil.Evil"}, trust_remote_code=True)

    assert read_facts([weights, config, tmp_path / "modeling_evil.py"]).architecture == "llama"


def test_a_pickle_is_refused_alone_and_beside_others(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")

    for others in ([], tiny_safetensors(tmp_path / "model.safetensors"), tiny_gguf(tmp_path / "x.gguf")):
        with pytest.raises(PickleRefusedError, match=r"`pytorch_model\.bin`"):
            read_facts([*others, tmp_path / "pytorch_model.bin"])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html>")

    for paths in ([], [tmp_path / "page.html"], [tmp_path / "config.json"]):
        with pytest.raises(UnknownFormatError):
            read_facts(paths)


def test_a_gguf_beside_something_else_is_refused(tmp_path: Path) -> None:
    gguf = tiny_gguf(tmp_path / "x.gguf")

    with pytest.raises(BadShardsError, match=r"`model\.safetensors` is no part of `x\.gguf`"):
        read_facts([*gguf, *tiny_safetensors(tmp_path / "model.safetensors")])


def test_a_page_under_the_name_of_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_text("<!DOCTYPE html>")
    (tmp_path / "y.gguf").write_bytes(b"GGUF")

    with pytest.raises(UnknownFormatError):
        read_facts([tmp_path / "x.gguf"])
    with pytest.raises(BadGgufError):
        read_facts([tmp_path / "y.gguf"])
