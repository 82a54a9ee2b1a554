from pathlib import Path

from thorp.formats.safetensors import read_safetensors
from thorp.testing.safetensors import TINY, safetensors_bytes, tiny_config, tiny_safetensors


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "1", tmp_path / "2"
    one.mkdir()
    other.mkdir()

    first = tiny_safetensors(one / "m.safetensors", seed=3)[0].read_bytes()

    assert tiny_safetensors(other / "m.safetensors", seed=3)[0].read_bytes() == first
    assert tiny_safetensors(other / "m.safetensors", seed=4)[0].read_bytes() != first


def test_parts_share_the_tensors_between_them(tmp_path: Path) -> None:
    paths = tiny_safetensors(tmp_path / "model.safetensors", shards=2)

    assert [path.name for path in paths] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert {span.name for path in paths for span in read_safetensors(path).tensors} == set(TINY)


def test_dtype_and_tensors_can_be_chosen(tmp_path: Path) -> None:
    (path,) = tiny_safetensors(tmp_path / "m.safetensors", dtype="U8", tensors={"a": (2, 3)})

    (span,) = read_safetensors(path).tensors
    assert (span.name, span.shape, span.dtype) == ("a", (2, 3), "U8")


def test_bytes_with_any_header() -> None:
    assert safetensors_bytes({"a": 1}, b"xy") == b'\x07\0\0\0\0\0\0\0{"a":1}xy'
    assert safetensors_bytes(b"not json") == b"\x08\0\0\0\0\0\0\0not json"


def test_a_configuration_takes_more(tmp_path: Path) -> None:
    assert '"extra": true' in tiny_config(tmp_path / "config.json", extra=True).read_text()
