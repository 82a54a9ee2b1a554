from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.errors import ThorpError
from thorp.models.ids import parse_model_id
from thorp.models.selection import (
    MOST_FILES,
    MOST_SHARDS,
    CollidingNamesError,
    NoSuchFileError,
    NoSuchQuantError,
    NothingToPullError,
    PickleOnlyError,
    Several,
    TooManyFilesError,
    candidates,
    choose,
    is_plainly_of_a_model,
    recommended,
    survey,
    takes,
    wanted_candidate,
)
from thorp.models.types import Candidate, Format, RemoteFile, RemoteRepo

GIB = 1024**3


def file(path: str, size: int = GIB) -> RemoteFile:
    return RemoteFile(path, size, "b" * 64, "b" * 64)


def repo(*paths: str | RemoteFile, name: str = "bartowski/Qwen3-8B-GGUF", tags: tuple[str, ...] = ()) -> RemoteRepo:
    files = tuple(one if isinstance(one, RemoteFile) else file(one) for one in paths)
    return RemoteRepo(name, "0" * 40, files, tags=tags)


def names(offered: tuple[Candidate, ...]) -> list[str]:
    return [one.name for one in offered]


def paths(one: Candidate) -> list[str]:
    return [file.path for file in one.every_file]


QUANTS = repo(
    file("Qwen3-8B-Q8_0.gguf", 9 * GIB),
    file("Qwen3-8B-Q4_K_M.gguf", 5 * GIB),
    file("Qwen3-8B-UD-Q4_K_XL.gguf", 6 * GIB),
    file("Qwen3-8B-Q2_K.gguf", 3 * GIB),
    "README.md",
    ".gitattributes",
    "config.json",
    "imatrix.dat",
    "imatrix_unsloth.gguf",
    "Qwen3-8B.imatrix.gguf",
)


def test_every_quant_is_offered_smallest_first() -> None:
    offered = candidates(QUANTS)

    assert [one.model_id for one in offered] == [
        "qwen3:8b:base:q2_k",
        "qwen3:8b:base:q4_k_m",
        "qwen3:8b:base:ud-q4_k_xl",
        "qwen3:8b:base:q8_0",
    ]
    assert [one.quant for one in offered] == ["q2_k", "q4_k_m", "ud-q4_k_xl", "q8_0"]
    assert offered[1] == Candidate(
        "qwen3:8b:base:q4_k_m", "q4_k_m", "Qwen3-8B-Q4_K_M", Format.GGUF, (file("Qwen3-8B-Q4_K_M.gguf", 5 * GIB),)
    )


def test_shards_are_one_artifact_in_order() -> None:
    shards = [f"UD-Q4_K_XL/Qwen3-235B-A22B-UD-Q4_K_XL-0000{number}-of-00003.gguf" for number in (1, 2, 3)]

    (one,) = candidates(repo(shards[2], shards[0], shards[1]))

    assert paths(one) == shards
    assert (one.name, one.size) == ("Qwen3-235B-A22B-UD-Q4_K_XL", 3 * GIB)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (["a-00001-of-00003.gguf", "a-00003-of-00003.gguf"], "only 2 of 3 shards are there; number 2 is missing"),
        (["a-00001-of-00002.gguf", "a-00002-of-00003.gguf"], "only 1 of 2"),
        (["a-00000-of-00001.gguf"], "a number that 1 shards do not have"),
        (["a-00001-of-00002.gguf", "a-00003-of-00002.gguf"], "a number that 2 shards do not have"),
        (["a-99999-of-99999.gguf"], f"at most {MOST_SHARDS} are taken"),
        (["a-00001-of-00002.gguf", "b-00002-of-00002.gguf"], "only 1 of 2"),
        (["x/a-00001-of-00002.gguf", "y/a-00002-of-00002.gguf"], "only 1 of 2"),
    ],
)
def test_D49_sets_that_are_not_whole_are_left_out_with_a_reason(listed: list[str], reason: str) -> None:
    found = survey(repo(*listed, "good.gguf"))

    assert names(found.candidates) == ["good"]
    assert reason in found.left_out[0].reason
    with pytest.raises(NothingToPullError, match=reason):
        candidates(repo(*listed))


def test_D49_a_stray_shard_of_another_count_does_not_spoil_a_whole_set() -> None:
    found = survey(repo("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "a-00004-of-00005.gguf"))

    assert [paths(one) for one in found.candidates] == [["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"]]
    assert "only 1 of 5" in found.left_out[0].reason


def test_D49_of_two_whole_sets_of_one_name_the_one_with_fewer_files_is_taken() -> None:
    found = survey(repo("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "a.gguf", "a-00001-of-00001.gguf"))

    assert [paths(one) for one in found.candidates] == [["a.gguf"]]
    assert len(found.left_out) == 2


def test_D49_a_listing_full_of_shards_is_bounded() -> None:
    listed = [f"a-{number:05}-of-99999.gguf" for number in range(1, MOST_FILES)]

    assert survey(repo(*listed)).candidates == ()


def test_files_of_one_name_in_two_folders_have_two_names() -> None:
    offered = candidates(repo("q4/model.gguf", "q8/Model.gguf", "other.gguf"))

    assert sorted(names(offered)) == ["other", "q4--model", "q8--Model"]


def test_B33_names_that_folders_cannot_tell_apart_either_are_refused() -> None:
    with pytest.raises(CollidingNamesError):
        candidates(repo("a/b--m.gguf", "a--b/m.gguf", "x/m.gguf", "y/b--m.gguf"))


def test_the_projector_comes_along() -> None:
    listed = ("mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "x-Q4_0.gguf", "x-Q8_0.gguf")

    offered = candidates(repo(*listed))

    assert {one.projector.path for one in offered if one.projector} == {"mmproj-F16.gguf"}
    assert [one.size for one in offered] == [2 * GIB, 2 * GIB]
    assert candidates(repo("mmproj-F32.gguf", "mmproj-BF16.gguf", "x.gguf"))[0].projector == file("mmproj-BF16.gguf")
    assert candidates(repo("mmproj-Q8_0.gguf", "mmproj-F32.gguf", "x.gguf"))[0].projector == file("mmproj-F32.gguf")
    assert candidates(repo("mmproj-Q8_0.gguf", "x.gguf"))[0].projector == file("mmproj-Q8_0.gguf")


def test_a_projector_beside_the_model_is_preferred() -> None:
    offered = candidates(repo("a/mmproj-f16.gguf", "b/mmproj-f32.gguf", "a/a.gguf", "b/b.gguf", "c/c.gguf"))

    assert [one.projector.path for one in offered if one.projector] == [
        "a/mmproj-f16.gguf",
        "b/mmproj-f32.gguf",
        "a/mmproj-f16.gguf",
    ]


@pytest.mark.parametrize(
    "one",
    [
        repo("mmproj-F16.gguf", "x.gguf", tags=("Sentence-Similarity",)),
        repo("mmproj-F16.gguf", "x.gguf", name="nomic-ai/nomic-embed-text-v1.5-GGUF"),
    ],
)
def test_embeddings_need_no_projector(one: RemoteRepo) -> None:
    assert candidates(one)[0].projector is None


def test_a_model_weighed_by_an_importance_matrix_is_a_model() -> None:
    assert names(candidates(repo("x-Q4_K_M-imatrix.gguf", "x-imatrix.gguf", "imatrix-x-Q4_0.gguf"))) == [
        "x-Q4_K_M-imatrix"
    ]


FOLDER = repo(
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "consolidated.safetensors",
    "original/model.safetensors",
    "original/params.json",
    "onnx/config.json",
    "1_Pooling/config.json",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
    "training_args.bin",
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.txt",
    "merges.txt",
    "requirements.txt",
    "LICENSE.txt",
    "chat_template.jinja",
    "modeling_qwen.py",
    "README.md",
    "logo.png",
    name="Qwen/Qwen3-8B",
)


def test_safetensors_are_one_folder_without_pickles_code_and_pictures() -> None:
    (one,) = candidates(FOLDER, file_type="BF16")

    assert paths(one) == [
        "1_Pooling/config.json",
        "chat_template.jinja",
        "config.json",
        "merges.txt",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer.model",
        "vocab.txt",
    ]
    assert (one.name, one.format, one.model_id, one.quant) == ("_", Format.SAFETENSORS, "qwen3:8b:base:bf16", "bf16")
    assert candidates(FOLDER)[0].quant == "unknown"


def test_safetensors_in_folders_only_are_taken_with_their_folders() -> None:
    (one,) = candidates(repo("unet/model.safetensors", "unet/config.json", "unet/x.bin"))

    assert paths(one) == ["unet/config.json", "unet/model.safetensors"]


def test_where_there_is_gguf_safetensors_are_left() -> None:
    assert names(candidates(repo("model.safetensors", "x-Q4_0.gguf"))) == ["x-Q4_0"]
    assert names(candidates(repo("model.safetensors", "mmproj-f16.gguf"))) == ["_"]


def test_D49_a_folder_without_one_of_its_shards_is_not_offered() -> None:
    with pytest.raises(NothingToPullError, match="number 2 is missing"):
        candidates(repo("model-00001-of-00002.safetensors", "config.json"))


@pytest.mark.parametrize(
    "path", ["pytorch_model.bin", "m.pt", "m.pth", "M.PKL", "m.ckpt", "flax_model.msgpack", "tf_model.h5"]
)
def test_pickles_are_refused(path: str) -> None:
    with pytest.raises(PickleOnlyError) as caught:
        candidates(repo(path, "config.json"))

    assert (caught.value.code, caught.value.exit_code) == ("models.pickle_only", 6)


@pytest.mark.parametrize("listed", [(), ("README.md", "config.json"), ("imatrix.dat",), ("mmproj-f16.gguf",)])
def test_nothing_to_pull_is_said(listed: tuple[str, ...]) -> None:
    with pytest.raises(NothingToPullError) as caught:
        candidates(repo(*listed))

    assert (caught.value.code, caught.value.exit_code) == ("models.nothing_to_pull", 3)


def test_B33_a_repository_with_too_many_files_is_refused() -> None:
    many = repo(*(f"{number}.json" for number in range(MOST_FILES)))

    assert survey(many).candidates == ()
    with pytest.raises(TooManyFilesError) as caught:
        survey(replace(many, files=(*many.files, file("x.gguf"))))
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "listed",
    [
        ("Model.gguf", "model.gguf"),
        ("model.gguf", "model.GGUF"),
        ("model.gguf", "model.gguf"),
        ("\u00e9.gguf", "e\u0301.gguf"),
        ("stra\u00dfe.gguf", "STRASSE.gguf"),
        ("A/x.gguf", "a/X.gguf"),
        ("a.gguf/b.gguf", "A.gguf"),
        ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "A-00001-of-00002.gguf"),
        ("model.safetensors", "config.json", "Config.json"),
    ],
)
def test_B33_names_that_differ_by_case_or_unicode_form_are_refused(listed: tuple[str, ...]) -> None:
    with pytest.raises(CollidingNamesError) as caught:
        candidates(repo(*listed))
    assert (caught.value.code, caught.value.exit_code) == ("models.colliding_names", 6)


def test_B33_what_is_never_pulled_may_collide() -> None:
    assert names(candidates(repo("README.md", "readme.md", "x.gguf"))) == ["x"]


@pytest.mark.parametrize(
    "path", ["../x.gguf", "/x.gguf", "a//x.gguf", "a\\x.gguf", "x\x1b.gguf", "CON.gguf", ".gguf/.."]
)
def test_B33_names_that_leave_their_folder_are_left_out(path: str) -> None:
    found = survey(repo(path, "good.gguf"))

    assert names(found.candidates) == ["good"]
    assert all("name" in one.reason for one in found.left_out)
    assert not any(path in paths(one) for one in found.candidates)


def test_B33_a_folder_with_a_name_that_cannot_be_kept_is_not_offered_in_part() -> None:
    found = survey(repo("model.safetensors", "CON.json"))

    assert found.candidates == ()
    assert [one.name for one in found.left_out] == ["CON.json"]
    assert [paths(one) for one in survey(repo("model.safetensors", "../config.json")).candidates] == [
        ["model.safetensors"]
    ]


@given(
    st.lists(
        st.from_regex(r"([ab]/)?[ab](-0000[0-3]-of-0000[0-3])?\.(gguf|GGUF|safetensors|json|bin)", fullmatch=True)
        | st.text(max_size=12).map("{}.gguf".format),
        max_size=12,
    )
)
def test_any_listing_is_judged(listed: list[str]) -> None:
    try:
        offered = candidates(repo(*listed))
    except ThorpError:
        return
    assert len({one.name.casefold() for one in offered}) == len(offered)
    assert [one.size for one in offered] == sorted(one.size for one in offered)
    assert all(parse_model_id(one.model_id) and one.files for one in offered)
    taken = [path for one in offered for path in paths(one)]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(listed)


def test_one_candidate_needs_no_choice() -> None:
    (one,) = candidates(repo("x-Q4_0.gguf"))

    assert choose((one,)) == one


def test_several_candidates_are_for_somebody_to_choose() -> None:
    offered = candidates(QUANTS)

    assert choose(offered) == Several(offered)


@pytest.mark.parametrize("quant", ["Q4_K_M", "q4_k_m", "q4-k-m", "Q4KM"])
def test_a_quant_is_forgiving_about_its_spelling(quant: str) -> None:
    assert choose(candidates(QUANTS), quant=quant) == candidates(QUANTS)[1]


def test_a_quant_is_found_under_how_it_was_made() -> None:
    assert choose(candidates(QUANTS), quant="q4_k_xl") == candidates(QUANTS)[2]
    assert choose(candidates(repo("x.i1-Q4_K_M.gguf", "x.i1-Q2_K.gguf")), quant="q4_k_m") == Candidate(
        "x:8b:base:i1-q4_k_m",
        "i1-q4_k_m",
        "x.i1-Q4_K_M",
        Format.GGUF,
        (file("x.i1-Q4_K_M.gguf"),),
    )
    assert choose(candidates(repo("x-fp16.gguf", "x-q8_0.gguf")), quant="F16").__class__ is Candidate


def test_a_quant_as_written_comes_before_one_that_is_made_otherwise() -> None:
    offered = candidates(repo("x-UD-Q4_K_M.gguf", "x-Q4_K_M.gguf"))
    found = choose(offered, quant="Q4_K_M")

    assert isinstance(found, Candidate)
    assert found.name == "x-Q4_K_M"


def test_a_quant_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NoSuchQuantError) as caught:
        choose(candidates(QUANTS), quant="Q4_K_N")

    assert caught.value.message == (
        "There is no quantisation `Q4_K_N` of it. Did you mean `q4_k_m`? There is q2_k, q4_k_m, ud-q4_k_xl, q8_0."
    )
    assert (caught.value.code, caught.value.exit_code) == ("models.no_such_quant", 3)


def test_a_file_any_shard_or_a_folder_names_its_artifact() -> None:
    offered = candidates(repo("q4/x-00001-of-00002.gguf", "q4/x-00002-of-00002.gguf", "q8/y.gguf", "q8/z.gguf"))
    x, y, z = sorted(offered, key=lambda one: one.name)

    assert choose(offered, path="q4/x-00002-of-00002.gguf") == x
    assert choose(offered, path="q4") == x
    assert choose(offered, path="q8") == Several((y, z))
    with pytest.raises(NoSuchFileError, match=r"There is .*q8/y\.gguf"):
        choose(offered, path="q")


def test_choosing_among_nothing_is_said() -> None:
    with pytest.raises(NothingToPullError):
        choose(())
    with pytest.raises(NothingToPullError):
        recommended((), lambda _: True)


@pytest.mark.parametrize(
    ("limit", "quant"), [(100, "q4_k_m"), (5, "q4_k_m"), (4, "q2_k"), (1, "q2_k")], ids=["all", "usual", "less", "none"]
)
def test_what_is_recommended(limit: int, quant: str) -> None:
    assert recommended(candidates(QUANTS), lambda one: one.size <= limit * GIB).quant == quant


def test_without_the_usual_quant_the_largest_that_fits_is_recommended() -> None:
    offered = tuple(one for one in candidates(QUANTS) if one.quant != "q4_k_m")

    assert recommended(offered, lambda one: one.size < 9 * GIB).quant == "ud-q4_k_xl"
    assert recommended(offered, lambda _: True).quant == "q8_0"
    assert recommended(offered, lambda _: None).quant == "q2_k"


def test_the_usual_quant_is_recommended_where_nobody_knows_what_fits() -> None:
    assert recommended(candidates(QUANTS), lambda _: None).quant == "q4_k_m"


def test_what_a_repository_has_of_an_id() -> None:
    assert wanted_candidate(QUANTS, "qwen3:8b:base:q8_0") == candidates(QUANTS)[3]
    assert wanted_candidate(QUANTS, "qwen3:8b:base:q5_0") is None
    assert wanted_candidate(repo("x.bin"), "qwen3:8b:base:q8_0") is None


def test_B33_a_hostile_repository_has_nothing_of_an_id() -> None:
    assert wanted_candidate(repo("x-Q8_0.gguf", "X-Q8_0.gguf"), "x:8b:base:q8_0") is None


@pytest.mark.parametrize(
    ("format_", "path", "taken"),
    [
        (Format.GGUF, "a/B.GGUF", True),
        (Format.GGUF, "config.json", False),
        (Format.SAFETENSORS, "model.safetensors", True),
        (Format.SAFETENSORS, "tokenizer_config.json", True),
        (Format.SAFETENSORS, "modeling_x.py", False),
        (Format.SAFETENSORS, "pytorch_model.bin.index.json", False),
    ],
)
def test_E62_only_weights_and_settings_belong_to_a_model(format_: Format, path: str, *, taken: bool) -> None:
    assert takes(format_, path) is taken


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("config.json", True),
        ("Config.JSON", True),
        ("tokenizer_config.json", True),
        ("tokenizer.model.v3", True),
        ("tekken.json", True),
        ("video_preprocessor_config.json", True),
        ("processor_config.json", True),
        ("sentence_bert_config.json", True),
        ("1_Pooling/config.json", True),
        ("model.safetensors.index.json", True),
        ("model-00001-of-00002.safetensors", True),
        ("chat_template.jinja", True),
        ("vocab.txt", True),
        (".secrets.json", False),
        (".config.json", False),
        (".hidden/config.json", False),
        (".model.safetensors", False),
        ("client_secret.json", False),
        ("wandb-metadata.json", False),
        ("my_config.json.json", False),
        ("secret.index.json", False),
    ],
)
def test_D51_only_settings_that_are_known_are_plainly_of_a_model(path: str, *, known: bool) -> None:
    assert is_plainly_of_a_model(path) is known
