import pickle
import zipfile
from pathlib import Path

import pytest

from thorp.formats.errors import PickleRefusedError, UnknownFormatError
from thorp.formats.sniff import Kind, kind_of
from thorp.testing.gguf import tiny_gguf
from thorp.testing.safetensors import safetensors_bytes, tiny_safetensors


def written(folder: Path, name: str, body: bytes) -> Path:
    (folder / name).write_bytes(body)
    return folder / name


@pytest.mark.parametrize("name", ["a.gguf", "a.bin", "a.safetensors", "a", "9f86d081"])
def test_only_its_first_bytes_make_a_gguf(tmp_path: Path, name: str) -> None:
    assert kind_of(tiny_gguf(tmp_path / name)[0]) is Kind.GGUF
    with pytest.raises(UnknownFormatError, match="is neither GGUF nor safetensors"):
        kind_of(written(tmp_path, "b.gguf", b"GGML and more of it"))


def test_safetensors_are_known_by_their_shape_or_by_their_name(tmp_path: Path) -> None:
    for name in ("a.safetensors", "A.SAFETENSORS", "9f86d081"):
        assert kind_of(tiny_safetensors(tmp_path / name)[0]) is Kind.SAFETENSORS
    assert kind_of(written(tmp_path, "b.safetensors", b"anything")) is Kind.SAFETENSORS


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["a.pt", "a.gguf", "a", "a.safetensors"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, protocol: int, name: str) -> None:
    for value in (None, {"weight": [1.0, 2.0]}):
        with pytest.raises(PickleRefusedError, match="pickles run code when they are opened"):
            kind_of(written(tmp_path, name, pickle.dumps(value, protocol)))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a.gguf", "a.safetensors"])
def test_a_zip_file_is_refused_as_the_pickle_it_may_hold(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")

    with pytest.raises(PickleRefusedError):
        kind_of(tmp_path / name)


@pytest.mark.parametrize("ending", ["bin", "pt", "pth", "pkl", "pickle", "ckpt", "PT"])
def test_a_name_of_a_pickle_is_enough(tmp_path: Path, ending: str) -> None:
    for body in (b"(dp0\n.", safetensors_bytes({})):
        with pytest.raises(PickleRefusedError):
            kind_of(written(tmp_path, f"model.{ending}", body))


def test_a_safetensors_header_whose_length_begins_as_a_pickle_does_is_none(tmp_path: Path) -> None:
    header = b"{}" + b" " * (0x0280 - 2)

    assert kind_of(written(tmp_path, "blob", safetensors_bytes(header))) is Kind.SAFETENSORS


def test_what_lies_beside_safetensors_is_not_looked_at(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "config.json") is Kind.CONFIG
    assert {kind_of(tmp_path / f"a.{one}") for one in ("json", "txt", "md", "py", "jinja")} == {Kind.COMPANION}


@pytest.mark.parametrize("name", ["notes.dat", "a.onnx", "a.exe", "a"])
def test_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownFormatError, match=f"`{name}` is neither"):
        kind_of(written(tmp_path, name, b"\x7fELF and more"))
