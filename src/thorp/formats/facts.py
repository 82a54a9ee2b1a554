"""What the headers of one artifact say about its model, in one place and for every format.

Reads headers only and runs nothing. Expected ignorance is None: many headers leave things open.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from thorp.formats.config import Config, read_config
from thorp.formats.errors import BadShardsError, UnknownFormatError
from thorp.formats.gguf import read_gguf
from thorp.formats.gguf_kinds import FILE_KINDS, GUESSED
from thorp.formats.gguf_walk import ArrayFacts, Value
from thorp.formats.safetensors import SafetensorsHeader, read_safetensors
from thorp.formats.shards import (
    Part,
    gguf_part,
    refuse_too_many,
    refuse_too_many_tensors,
    refuse_unless_whole,
    safetensors_part,
)
from thorp.formats.sniff import Kind, kind_of

TEXT: Final = "text"
VISION: Final = "vision"
AUDIO: Final = "audio"
EMBEDDING: Final = "embedding"
PROJECTORS: Final = frozenset({"clip"})
EMBEDDERS: Final = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "modern-bert", "neo-bert", "eurobert", "jina-bert-v2", "jina-bert-v3"}
    | {"gemma-embedding", "t5encoder", "xlm-roberta", "roberta", "distilbert", "mpnet"}
)
SPEAKERS: Final = frozenset({"wavtokenizer-dec", "whisper"})
_LONGEST: Final = 500  # characters of a name or a licence


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """None where no header says so."""

    format: Literal["gguf", "safetensors"]
    architecture: str | None
    parameters: int | None
    context_length: int | None
    quant: str | None
    name: str | None
    license: str | None
    modalities: tuple[str, ...]
    is_projector: bool
    tensor_bytes: int
    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None  # of each layer; where layers differ, their mean, rounded up
    key_length: int | None = None
    value_length: int | None = None
    vocabulary: int | None = None
    embedding_length: int | None = None


@dataclass(slots=True)
class _Sum:
    """What is counted over all parts."""

    tensors: int = 0
    elements: int = 0
    size: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])

    def add(self, kind: str, elements: int, size: int) -> None:
        self.tensors += 1
        self.elements += elements
        self.size += size
        self.kinds[kind] += elements

    @property
    def dominant(self) -> str | None:
        return max(self.kinds, key=self.kinds.__getitem__, default=None)


def read_facts(paths: Sequence[Path]) -> ModelFacts:
    """The facts of the artifact that these files make: one file, all its parts, or safetensors and what lies beside.

    Fails with a FormatError, or as `thorp.base.files` does when a file cannot be opened.
    """
    if not paths:
        raise UnknownFormatError("nothing", "is no model: no file was named")
    refuse_too_many([path.name for path in paths])
    kinds = [(path, kind_of(path)) for path in paths]
    gguf = [path for path, kind in kinds if kind is Kind.GGUF]
    tensors = [path for path, kind in kinds if kind is Kind.SAFETENSORS]
    if not gguf and not tensors:
        raise UnknownFormatError(paths[0].name, "is neither GGUF nor safetensors")
    if gguf and len(gguf) != len(paths):
        stranger = next(path for path, kind in kinds if kind is not Kind.GGUF)
        raise BadShardsError(stranger.name, f"is no part of `{gguf[0].name}`")
    if gguf:
        return _of_gguf(gguf)
    return _of_safetensors(tensors, [path for path, kind in kinds if kind is Kind.CONFIG])


def _of_gguf(paths: Sequence[Path]) -> ModelFacts:
    total = _Sum()
    parts: list[Part] = []
    metadata: Mapping[str, Value] = {}  # of the first part, the only one that has it all
    for path in paths:
        header = read_gguf(path)
        parts.append(gguf_part(path.name, header))
        if parts[-1].number == 0:
            metadata = header.metadata
        for tensor in header.tensors:
            total.add(tensor.kind, tensor.elements, tensor.size)
        refuse_too_many_tensors(path.name, total.tensors)
    refuse_unless_whole(parts)
    return _gguf_facts(_Keys(metadata), total)


def _gguf_facts(keys: "_Keys", total: _Sum) -> ModelFacts:
    heads, width = keys.largest("attention.head_count"), keys.count("embedding_length")
    each = width // heads if width and heads else None
    is_projector = keys.architecture in PROJECTORS or keys.text("general.type") == "mmproj"
    return ModelFacts(
        format="gguf",
        architecture=keys.architecture,
        parameters=total.elements or None,
        context_length=keys.count("context_length"),
        quant=keys.file_kind() or total.dominant,
        name=keys.text("general.name"),
        license=keys.text("general.license"),
        modalities=_projected(keys) if is_projector else _spoken(keys),
        is_projector=is_projector,
        tensor_bytes=total.size,
        layers=keys.count("block_count"),
        heads=heads,
        kv_heads=keys.mean("attention.head_count_kv") or heads,
        key_length=keys.count("attention.key_length") or each,
        value_length=keys.count("attention.value_length") or each,
        vocabulary=keys.vocabulary(),
        embedding_length=width,
    )


class _Keys:
    """Metadata of GGUF by what it means."""

    def __init__(self, metadata: Mapping[str, Value]) -> None:
        self._metadata = metadata
        self.architecture = self.text("general.architecture")

    def text(self, key: str) -> str | None:
        found = self._metadata.get(key)
        return found[:_LONGEST] if isinstance(found, str) and found else None

    def says(self, key: str) -> bool:
        return self._metadata.get(key) is True

    def count(self, key: str) -> int | None:
        found = self._metadata.get(f"{self.architecture}.{key}")
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None

    def every(self, key: str) -> list[int]:
        """One number for all layers, or one for each."""
        found = self._metadata.get(f"{self.architecture}.{key}")
        values = found.values if isinstance(found, ArrayFacts) else (found,)
        return [one for one in values if isinstance(one, int) and not isinstance(one, bool) and one >= 0]

    def largest(self, key: str) -> int | None:
        return max(self.every(key), default=0) or None

    def mean(self, key: str) -> int | None:
        found = self.every(key)
        return -(-sum(found) // len(found)) or None if found else None

    def vocabulary(self) -> int | None:
        tokens = self._metadata.get("tokenizer.ggml.tokens")
        return tokens.count if isinstance(tokens, ArrayFacts) else self.count("vocab_size")

    def file_kind(self) -> str | None:
        found = self._metadata.get("general.file_type")
        return FILE_KINDS.get(found & ~GUESSED) if isinstance(found, int) else None

    def pools(self) -> bool:
        return self.count("pooling_type") is not None


def _projected(keys: _Keys) -> tuple[str, ...]:
    """What a projector lets a model see or hear; early ones said nothing and were made for pictures."""
    hears = keys.says("clip.has_audio_encoder")
    sees = keys.says("clip.has_vision_encoder") or not hears
    return tuple(word for word, is_so in ((VISION, sees), (AUDIO, hears)) if is_so)


def _spoken(keys: _Keys) -> tuple[str, ...]:
    if keys.architecture in SPEAKERS:
        return (AUDIO,)
    return (EMBEDDING,) if keys.architecture in EMBEDDERS or keys.pools() else (TEXT,)


def _of_safetensors(paths: Sequence[Path], configs: Sequence[Path]) -> ModelFacts:
    total = _Sum()
    parts: list[Part] = []
    for path in paths:
        header: SafetensorsHeader = read_safetensors(path)
        parts.append(safetensors_part(path.name, header))
        for span in header.tensors:
            total.add(span.dtype.lower(), span.elements, span.end - span.begin)
        refuse_too_many_tensors(path.name, total.tensors)
    refuse_unless_whole(parts)
    config = read_config(configs[0]) if configs else Config({}, frozenset())
    return _safetensors_facts(config, total)


def _safetensors_facts(config: Config, total: _Sum) -> ModelFacts:
    heads = config.count("num_attention_heads", "n_head")
    width = config.count("hidden_size", "n_embd", "d_model")
    each = config.count("head_dim") or (width // heads if width and heads else None)
    architecture = config.text("model_type")
    return ModelFacts(
        format="safetensors",
        architecture=architecture,
        parameters=total.elements or None,
        context_length=config.count("max_position_embeddings", "n_positions", "max_sequence_length"),
        quant=total.dominant,
        name=None,
        license=None,
        modalities=_configured(architecture, config),
        is_projector=False,
        tensor_bytes=total.size,
        layers=config.count("num_hidden_layers", "n_layer"),
        heads=heads,
        kv_heads=config.count("num_key_value_heads") or heads,
        key_length=each,
        value_length=each,
        vocabulary=config.count("vocab_size"),
        embedding_length=width,
    )


def _configured(architecture: str | None, config: Config) -> tuple[str, ...]:
    if architecture in SPEAKERS:
        return (AUDIO,)
    if architecture in EMBEDDERS:
        return (EMBEDDING,)
    senses = ((VISION, "vision_config"), (AUDIO, "audio_config"))
    return (TEXT, *(word for word, part in senses if part in config.parts))
