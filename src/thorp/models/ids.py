"""Model ids `base:size:variant:quant`, read off the names of repositories and files.

Names decide. The file's name comes first, the repository's fills only what it leaves open, and what a hub or a header
says fills only what both leave open; so an id is the same before and after the download. Folders never count, and
nothing here looks at bytes.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"
LONGEST_ID: Final = 512
LONGEST_PART: Final = 96
THOUSAND: Final = 1000
MOST_PARAMETERS: Final = 10**15  # what claims more is no model
FOLDER: Final = "_"  # the name of an artifact that is a folder of safetensors

_PART = r"[a-z0-9][a-z0-9._-]*"
_CANONICAL = re.compile(rf"{_PART}(?::{_PART}){{3}}")
_EXTENSION = re.compile(r"\.(?:gguf|safetensors)$", re.IGNORECASE)
_SHARD = re.compile(
    r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?:\.(?:gguf|safetensors))?", re.IGNORECASE
)
_PROJECTOR = re.compile(r"(?<![a-z0-9])mmproj(?![a-z0-9])")

# A word is bounded by the ends of the name or by `-`, `_`, `.`.
_QUANT = re.compile(
    r"""(?<![a-z0-9])
    (?:(?P<made>ud|i1|gptq|awq|bnb)[-_.])?
    (?P<word>
        i?q[1-8][-_]k[-_]?(?:xxs|xs|s|m|l|xl)(?:[-_]r[48])?       # q4_k_m, q3_k_xl
      | i?q[1-8][-_]k(?:[-_]r[48])?                               # q6_k; iq4_k of ik_llama.cpp
      | iq[1-6][-_](?:xxs|xs|s|m|nl|kss|ks|kl|kt)(?:[-_][48][-_][48]|[-_]r[48])?
      | t?q[1-8][-_][01](?:[-_][48][-_][48]|[-_](?:l|xl|r[48]))?  # q4_0, q4_0_4_4, q8_0_l, tq1_0
      | i2[-_]s                                                   # of bitnet.cpp
      | q[2-8]                                                    # some makers stop there
      | bf16 | fp?16 | fp?32 | f64 | fp[468] | mxfp4[-_]moe | mxfp[468] | nvfp4 | nf4
      | int[48] | [2-8]bit | w[48]a(?:16|8) | awq | gptq
    )
    (?:[-_.](?P<weighed>imx|imat|imatrix))?                       # by an importance matrix
    (?![a-z0-9])""",
    re.VERBOSE,
)
_SIZE = re.compile(
    r"""(?<![a-z0-9])(?<![0-9]\.)                                 # `qwen2.5b` has no 5b in it
    (?P<all>(?:[0-9]{1,4}x)?[0-9]{1,5}(?:\.[0-9]{1,3})?[bm])
    (?:[-_](?P<active>a[0-9]{1,5}(?:\.[0-9]{1,3})?[bm]))?
    (?![a-z0-9])""",
    re.VERBOSE,
)
_FIRST_OF_VARIANT = re.compile(r"(?<=[-_.])(?:instruct|chat|it|base|thinking|reasoning|coder|vision)(?![a-z0-9])")
_VERSION = re.compile(r"(?:^|[-_.])v[0-9]+(?:\.[0-9]+)*[a-z]?(?=$|[-_.])")
_PACKING = re.compile(
    r"(?:[-_.](?:i1|imat|imatrix))?(?:^|[-_.])gguf(?![a-z0-9])"
)  # how a repository says what is in it
_SEPARATORS = "-_."

# Names that whoever made the file never chose: they say nothing about the model.
_NO_NAMES = frozenset(
    ("", "ggml", "ggml-model", "model", "pytorch_model", "pytorch-model", "consolidated", "weights", "unsloth", "main")
)


class ModelId(str):
    """A canonical id. Only `derive_model_id` and `parse_model_id` make one."""

    __slots__ = ()

    @property
    def base(self) -> str:
        return self.split(":")[0]

    @property
    def size(self) -> str:
        return self.split(":")[1]

    @property
    def variant(self) -> str:
        return self.split(":")[2]

    @property
    def quant(self) -> str:
        return self.split(":")[3]


@dataclass(frozen=True, slots=True)
class Shard:
    """What a file name says about the set it belongs to. It may lie: 7 of 3 is for others to refuse."""

    number: int
    count: int
    stem: str  # with its folder


class _Reading(NamedTuple):
    """What one name says; None or nothing where it leaves something open."""

    base: str
    size: str | None
    variant: str
    quant: str | None


def derive_model_id(
    repo: str, filename: str, *, parameters: int | None = None, file_type: str | None = None
) -> ModelId:
    """The id of a file, or of a folder of safetensors (`_`, or any file of it), without asking anybody.

    Where file and repository differ, the file decides and the repository fills only what the file leaves open: size
    and quant each for itself, the variant only together with the base, for a file that names a base without a variant
    has said that there is none. Of a folder only the repository's name counts: its files are called `model`.
    """
    outer = _read(_plain(repo))
    inner = _Reading("", None, "", None) if _of_folder(filename) else _read(_plain(artifact_name(filename)))
    base, variant = (inner.base, inner.variant) if inner.base else (outer.base, inner.variant or outer.variant)
    size = inner.size or outer.size or _spoken(parameters)
    quant = inner.quant or outer.quant or _typed(file_type)
    return ModelId(":".join((_part(base, UNKNOWN), size, _part(variant, "base"), quant)))


def parse_model_id(text: str) -> ModelId | None:
    """A canonical id, exactly as written; None for anything else."""
    return ModelId(text) if len(text) <= LONGEST_ID and _CANONICAL.fullmatch(text) else None


def quant_of(filename: str) -> str | None:
    """The quantisation that a file's name states."""
    return _read(_plain(artifact_name(filename))).quant


def shard_of(filename: str) -> Shard | None:
    """Which of how many files this is; None for a file that stands alone."""
    found = _SHARD.fullmatch(filename)
    if not found or int(found["count"]) == 0:
        return None
    return Shard(int(found["number"]), int(found["count"]), found["stem"])


def artifact_name(filename: str) -> str:
    """A file's name without folder, shard suffix and extension: equal for all shards of one artifact."""
    name = filename.rsplit("/", 1)[-1]
    shard = shard_of(name)
    return shard.stem if shard else _EXTENSION.sub("", name)


def is_projector(filename: str) -> bool:
    """Whether it is the part of a model that reads pictures or sound, which llama.cpp keeps in a file of its own."""
    return _PROJECTOR.search(_plain(filename)) is not None


def _of_folder(filename: str) -> bool:
    return filename == FOLDER or filename.lower().endswith(".safetensors")


def _plain(name: str) -> str:
    """The last part of a path in the letters that ids are made of."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.rsplit("/", 1)[-1].lower())


def _read(name: str) -> _Reading:
    rest = _PACKING.sub("", name)
    quant = None
    for found in _QUANT.finditer(rest):
        quant = found
    if quant:
        rest = f"{rest[: quant.start()].rstrip(_SEPARATORS)}-{rest[quant.end() :].lstrip(_SEPARATORS)}".strip("-")
    base, size, variant = _split(rest)
    base = base.strip(_SEPARATORS)
    variant = _VERSION.sub("", variant.strip(_SEPARATORS)).strip(_SEPARATORS)
    return _Reading("" if base in _NO_NAMES else base, size, variant, _written(quant) if quant else None)


def _split(rest: str) -> tuple[str, str | None, str]:
    """Base, size and variant of a name without its quant."""
    if found := _SIZE.search(rest):
        size = f"{found['all']}-{found['active']}" if found["active"] else found["all"]
        return rest[: found.start()], size, rest[found.end() :]
    if found := _FIRST_OF_VARIANT.search(rest, 1):
        return rest[: found.start()], None, rest[found.start() :]
    return rest, None, ""


def _written(quant: re.Match[str]) -> str:
    """One spelling for one quantisation: `_` inside, `-` to how it was made."""
    parts = (quant["made"], quant["word"].replace("-", "_"), quant["weighed"])
    return "-".join(part for part in parts if part)


def _spoken(parameters: int | None) -> str:
    """A number of parameters as names would say it."""
    if parameters is None or not 0 < parameters <= MOST_PARAMETERS:
        return UNKNOWN
    millions = max(1, (parameters + 500_000) // 1_000_000)
    if millions < THOUSAND:
        return f"{millions}m"
    whole, tenth = divmod((parameters + 50_000_000) // 100_000_000, 10)
    return f"{whole}.{tenth}b" if tenth else f"{whole}b"


def _typed(file_type: str | None) -> str:
    """What a header calls its tensors (`BF16`, `MOSTLY_Q4_K_M`), as a quant."""
    plain = re.sub(r"^(?:mostly|all)_", "", _plain(file_type or ""))
    return _read(plain).quant or _part(plain, UNKNOWN)


def _part(text: str, otherwise: str) -> str:
    return text.strip(_SEPARATORS)[:LONGEST_PART].rstrip(_SEPARATORS) or otherwise
