"""Models of random numbers, small and whole: GGUF files that this repository's reader and llama.cpp both take.

The same seed makes the same bytes. What such a model says makes no sense.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, prod
from pathlib import Path
from typing import Final, TypedDict, Unpack

from thorp.testing.gguf_draft import (
    F16,
    F32,
    FLOAT32,
    INT32,
    STRING,
    UINT16,
    DraftTensor,
    GgufDraft,
    Items,
    Plain,
    Typed,
)

BLOCK: Final = 1024 * 1024
SMALLEST_VOCABULARY: Final = 259  # unk, bos, eos and the 256 bytes
MOSTLY_F16: Final = 1
PLAIN_TEMPLATE: Final = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_SIGN_AND_FRACTION: Final = 0x83FF
_SIXTEENTH: Final = 0x2C00  # as an exponent of a half-precision number


class Wishes(TypedDict, total=False):
    """What may be chosen about a tiny model; `Tiny` says what each means and what it is by itself."""

    seed: int
    architecture: str
    layers: int
    embedding: int
    heads: int
    kv_heads: int
    context: int
    name: str
    template: str
    vocabulary: int
    file_type: int
    metadata: Mapping[str, Plain]
    tensors: Sequence[DraftTensor]
    pad_to: int | None
    shards: int


@dataclass(frozen=True, slots=True)
class Tiny:
    """The numbers that decide how large a model is, and what it says about itself."""

    seed: int = 0
    architecture: str = "llama"
    layers: int = 1
    embedding: int = 64
    heads: int = 4
    kv_heads: int = 0  # as many as heads
    context: int = 256
    name: str = "tiny"
    template: str = PLAIN_TEMPLATE
    vocabulary: int = SMALLEST_VOCABULARY
    file_type: int = MOSTLY_F16
    metadata: Mapping[str, Plain] = field(default_factory=dict[str, Plain])  # adds keys or replaces them
    tensors: Sequence[DraftTensor] = ()  # in addition; llama.cpp refuses a model with tensors it does not know
    pad_to: int | None = None  # bytes of the file, by random ones behind the last tensor; llama.cpp never reads them
    shards: int = 1

    @property
    def wide(self) -> int:
        return 2 * self.embedding

    @property
    def keys_wide(self) -> int:
        return self.embedding // self.heads * (self.kv_heads or self.heads)


def tiny_gguf(path: Path, **wishes: Unpack[Wishes]) -> list[Path]:
    """Write a model, and say which files it became: `path`, or its parts beside it."""
    tiny = Tiny(**wishes)
    if tiny.pad_to is not None and tiny.shards > 1:
        raise ValueError("only a model in one file can be padded")
    keys: dict[str, Plain] = {
        "general.architecture": tiny.architecture,
        "general.name": tiny.name,
        "general.file_type": tiny.file_type,
        **_hyper(tiny),
        **_byte_vocabulary(tiny.vocabulary),
        "tokenizer.chat_template": tiny.template,
        **tiny.metadata,
    }
    draft = GgufDraft(tuple(keys.items()), (*_weights(tiny), *tiny.tensors))
    if tiny.shards > 1:
        return _write_parts(path, draft, tiny.shards)
    path.write_bytes(draft.whole())
    if tiny.pad_to is not None:
        pad(path, tiny.pad_to, seed=tiny.seed)
    return [path]


def header_only_gguf(path: Path, architecture: str, metadata: Mapping[str, Plain] | None = None) -> Path:
    """A file of any architecture with no tensors in it: enough to be looked at, nothing to be loaded."""
    keys: dict[str, Plain] = {"general.architecture": architecture, **(metadata or {})}
    path.write_bytes(GgufDraft(tuple(keys.items())).whole())
    return path


def projector_gguf(path: Path, *, vision: bool = True, audio: bool = False, seed: int = 0) -> Path:
    """The header of a projector as it lies beside a model that sees or hears, with one tensor."""
    keys: tuple[tuple[str, Plain], ...] = (
        ("general.architecture", "clip"),
        ("general.type", "mmproj"),
        ("general.name", "tiny projector"),
        ("general.file_type", MOSTLY_F16),
        ("clip.has_vision_encoder", vision),
        ("clip.has_audio_encoder", audio),
        ("clip.projector_type", "mlp"),
    )
    path.write_bytes(GgufDraft(keys, (_random_tensor("mm.0.weight", (64, 64), seed),)).whole())
    return path


def big_vocabulary_gguf(path: Path, *, tokens: int = 150_000, merges: int = 150_000, tensors: int = 288) -> Path:
    """A header as large as those of today's models."""
    keys: dict[str, Plain] = {
        "general.architecture": "llama",
        "general.name": "large vocabulary",
        "llama.context_length": 131_072,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": Items(STRING, [f"tok{number}" for number in range(tokens)]),
        "tokenizer.ggml.token_type": Items(INT32, [_NORMAL] * tokens),
        "tokenizer.ggml.merges": Items(STRING, [f"tok{number} ens{number}" for number in range(merges)]),
    }
    drafts = [DraftTensor(f"blk.{number // 9}.part.{number % 9}.weight", (64, 8), F16) for number in range(tensors)]
    path.write_bytes(GgufDraft(tuple(keys.items()), drafts).whole())
    return path


def pad(path: Path, size: int, *, seed: int = 0) -> None:
    """Append random bytes until the file has this size. Every mebibyte is another one."""
    missing = size - path.stat().st_size
    if missing < 0:
        raise ValueError(f"{path.name} has {-missing} bytes more than {size} already")
    block = random_bytes(seed, "padding", BLOCK)
    with path.open("ab") as file:
        for number in range(ceil(missing / BLOCK)):
            first = hashlib.sha256(f"{seed} {number}".encode()).digest()
            file.write((first + block[len(first) :])[: missing - number * BLOCK])


def part_names(name: str, count: int) -> list[str]:
    """What the parts of a model are called that would be called `name` as a whole."""
    stem, _, ending = name.rpartition(".")
    return [f"{stem}-{number:05d}-of-{count:05d}.{ending}" for number in range(1, count + 1)]


def random_bytes(seed: int, what: str, count: int) -> bytes:
    return hashlib.shake_256(f"{seed} {what}".encode()).digest(count)


def _write_parts(path: Path, draft: GgufDraft, count: int) -> list[Path]:
    """As `llama-gguf-split` does it: all keys in the first part, and none but the part's own in the others."""
    each = ceil(len(draft.tensors) / count)
    paths = [path.with_name(name) for name in part_names(path.name, count)]
    for number, one in enumerate(paths):
        split: tuple[tuple[str, Plain], ...] = (
            ("split.no", Typed(UINT16, number)),
            ("split.count", Typed(UINT16, count)),
            ("split.tensors.count", Typed(INT32, len(draft.tensors))),
        )
        keys = (*draft.keys, *split) if number == 0 else split
        tensors = draft.tensors[number * each : (number + 1) * each]
        one.write_bytes(replace(draft, keys=keys, tensors=tensors).whole())
    return paths


def _hyper(tiny: Tiny) -> dict[str, Plain]:
    numbers: dict[str, Plain] = {
        "block_count": tiny.layers,
        "context_length": tiny.context,
        "embedding_length": tiny.embedding,
        "feed_forward_length": tiny.wide,
        "attention.head_count": tiny.heads,
        "attention.head_count_kv": tiny.kv_heads or tiny.heads,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": tiny.embedding // tiny.heads,
        "vocab_size": tiny.vocabulary,
    }
    return {f"{tiny.architecture}.{key}": value for key, value in numbers.items()}


def _byte_vocabulary(size: int) -> dict[str, Plain]:
    """A SentencePiece vocabulary in which every byte is a token, so that any text can be said."""
    if size < SMALLEST_VOCABULARY:
        raise ValueError(f"a vocabulary has {SMALLEST_VOCABULARY} tokens or more, not {size}")
    words = [f"w{number}" for number in range(size - SMALLEST_VOCABULARY)]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * len(words)]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": Items(STRING, tokens),
        "tokenizer.ggml.scores": Items(FLOAT32, [0.0] * size),
        "tokenizer.ggml.token_type": Items(INT32, kinds),
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def _weights(tiny: Tiny) -> list[DraftTensor]:
    width, wide, keys = tiny.embedding, tiny.wide, tiny.keys_wide
    matrices: list[tuple[str, tuple[int, ...]]] = [("token_embd", (width, tiny.vocabulary))]
    for layer in range(tiny.layers):
        matrices += [
            (f"blk.{layer}.attn_norm", (width,)),
            (f"blk.{layer}.attn_q", (width, width)),
            (f"blk.{layer}.attn_k", (width, keys)),
            (f"blk.{layer}.attn_v", (width, keys)),
            (f"blk.{layer}.attn_output", (width, width)),
            (f"blk.{layer}.ffn_norm", (width,)),
            (f"blk.{layer}.ffn_gate", (width, wide)),
            (f"blk.{layer}.ffn_up", (width, wide)),
            (f"blk.{layer}.ffn_down", (wide, width)),
        ]
    matrices += [("output_norm", (width,)), ("output", (width, tiny.vocabulary))]
    return [_random_tensor(f"{name}.weight", sizes, tiny.seed) for name, sizes in matrices]


def _random_tensor(name: str, shape: tuple[int, ...], seed: int) -> DraftTensor:
    """A matrix of small random numbers in half precision; a vector of ones, as a norm has them."""
    if len(shape) == 1:
        return DraftTensor(name, shape, F32, b"\0\0\x80?" * shape[0])
    return DraftTensor(name, shape, F16, small_halves(prod(shape), seed, name))


def small_halves(count: int, seed: int, what: str) -> bytes:
    """Half-precision numbers between a sixteenth and an eighth, or below zero by as much: all of them at once."""
    size = 2 * count
    kept = int.from_bytes(_SIGN_AND_FRACTION.to_bytes(2, "little") * count, "little")
    exponents = int.from_bytes(_SIXTEENTH.to_bytes(2, "little") * count, "little")
    raw = int.from_bytes(random_bytes(seed, what, size), "little")
    return (raw & kept | exponents).to_bytes(size, "little")
