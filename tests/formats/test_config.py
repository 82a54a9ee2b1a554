import json
from pathlib import Path

import pytest

from thorp.formats.config import LARGEST, read_config
from thorp.formats.errors import BadConfigError
from thorp.testing.safetensors import tiny_config


def test_numbers_and_names_are_read(tmp_path: Path) -> None:
    config = read_config(tiny_config(tmp_path / "config.json"))

    assert (config.text("model_type"), config.count("absent", "hidden_size")) == ("llama", 32)
    assert (config.text("absent"), config.count("absent")) == (None, None)


@pytest.mark.parametrize("value", [True, -1, 0, 1.5, "7", None, 2**60, []])
def test_a_count_is_a_whole_number_that_can_be(tmp_path: Path, value: object) -> None:
    assert read_config(tiny_config(tmp_path / "config.json", hidden_size=value)).count("hidden_size") is None


def test_the_text_model_decides_where_there_are_several(tmp_path: Path) -> None:
    more: dict[str, object] = {"text_config": {"hidden_size": 99}, "vision_config": {"hidden_size": 7}}

    config = read_config(tiny_config(tmp_path / "config.json", **more))

    assert config.count("hidden_size") == 99
    assert config.parts == {"text_config", "vision_config"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe{", b"[" * 100_000, b" " * (LARGEST + 1), b"9" * 9000])
def test_what_cannot_be_read_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(body or b" ")

    with pytest.raises(BadConfigError, match=r"`config\.json`"):
        read_config(path)


def test_D55_flags_for_remote_code_are_data_and_nothing_else(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "modeling_evil.py").write_text(f"open({str(trap)!r}, 'w')")
    more: dict[str, object] = {
        "trust_remote_code": True,
        "auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "evil/repo--modeling_evil.Evil"},
        "custom_pipelines": {"x": {"impl": "modeling_evil.Evil"}},
        "architectures": ["__import__('os').system('touch trap')"],
    }

    config = read_config(tiny_config(tmp_path / "config.json", **more))

    assert config.text("model_type") == "llama"
    assert not trap.exists()
    assert json.loads((tmp_path / "config.json").read_text())["trust_remote_code"] is True
