from gguf.constants import GGML_QUANT_SIZES, GGUFValueType, LlamaFileType

from thorp.formats.gguf_kinds import FILE_KINDS, GUESSED, TENSOR_KINDS, VALUE_NAMES


def test_tensor_kinds_are_those_of_the_format() -> None:
    theirs = {int(kind): (kind.name.lower(), *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}

    assert {number: (kind.name, kind.block, kind.width) for number, kind in TENSOR_KINDS.items()} == theirs


def test_file_kinds_are_those_of_the_format() -> None:
    theirs = {int(kind): kind.name.lower().removeprefix("mostly_").removeprefix("all_") for kind in LlamaFileType}
    assert theirs.pop(GUESSED) == "guessed"

    assert {number: name.removesuffix("_moe") for number, name in theirs.items()} == FILE_KINDS


def test_value_kinds_are_those_of_the_format() -> None:
    assert {int(kind): kind.name.lower() for kind in GGUFValueType} == VALUE_NAMES
