"""A small safetensors file, or its parts, of random numbers; the same seed makes the same bytes."""

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from struct import pack
from typing import Final

from thorp.testing.gguf import part_names, random_bytes, small_halves

TINY: Final[Mapping[str, tuple[int, ...]]] = {
    "model.embed_tokens.weight": (64, 32),
    "model.layers.0.self_attn.q_proj.weight": (32, 32),
    "model.norm.weight": (32,),
}
WIDTHS: Final = {"F32": 4, "BF16": 2, "F16": 2, "U8": 1, "I64": 8}


def tiny_safetensors(
    path: Path,
    *,
    seed: int = 0,
    dtype: str = "BF16",
    tensors: Mapping[str, tuple[int, ...]] = TINY,
    shards: int = 1,
) -> list[Path]:
    """Write a model, and say which files it became: `path`, or its parts beside it."""
    paths = [path] if shards == 1 else [path.with_name(name) for name in part_names(path.name, shards)]
    for number, one in enumerate(paths):
        mine = dict(list(tensors.items())[number::shards])
        header, size = _header(mine, dtype)
        one.write_bytes(safetensors_bytes(header, _body(size, seed, one.name, dtype)))
    return paths


def safetensors_bytes(header: object, body: bytes = b"") -> bytes:
    """The bytes of a file with this header, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return pack("<Q", len(text)) + text + body


def tiny_config(path: Path, **more: object) -> Path:
    """The `config.json` that fits `tiny_safetensors`."""
    fields: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 32,
        "max_position_embeddings": 256,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "num_key_value_heads": 2,
        "vocab_size": 64,
    }
    path.write_text(json.dumps(fields | more))
    return path


def _header(tensors: Mapping[str, Sequence[int]], dtype: str) -> tuple[dict[str, object], int]:
    """The header, and how many bytes of data it describes."""
    end, found = 0, dict[str, object](__metadata__={"format": "pt"})
    for name, shape in tensors.items():
        begin, end = end, end + prod(shape) * WIDTHS[dtype]
        found[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    return found, end


def _body(size: int, seed: int, what: str, dtype: str) -> bytes:
    return small_halves(size // 2, seed, what) if dtype == "F16" else random_bytes(seed, what, size)
