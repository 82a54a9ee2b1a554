"""The settings of models, transfers and sharing."""

from dataclasses import dataclass

from thorp.base.settings import Shape, setting

HUGGING_FACE = "https://huggingface.co"


def is_place(text: str) -> bool:
    """Whether a path means the same wherever it is read."""
    return text.startswith(("/", "~/"))


MOST_PARALLEL = 16


A_PLACE = Shape("a path that begins with `/` or `~/`", "paths that begin with `/` or `~/`", is_place)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    dir: str = setting(
        "",
        "The models folder, a Hugging Face cache; empty: `hub` in Thorp's home. HF_HUB_CACHE and HF_HOME win.",
        owner=True,
        shape=A_PLACE,
    )


@dataclass(frozen=True, slots=True)
class TransferSettings:
    limit: int = setting(0, "Bytes a second for all transfers together; 0: no limit.", live=True, minimum=0)
    ranges: int = setting(4, "How many ranges of one file are fetched at once.", live=True, minimum=1, maximum=16)
    parallel: int = setting(
        2, "How many transfers run at once; the others queue.", live=True, minimum=1, maximum=MOST_PARALLEL
    )
    mix: str = setting(
        "auto",
        "Whether the hub helps where neighbours have a file: auto: when they are slow, always, never.",
        live=True,
        choices=("auto", "always", "never"),
    )


@dataclass(frozen=True, slots=True)
class SharingSettings:
    household: bool = setting(
        True,
        "Let the other nodes of this household have this node's models, save gated and unshared ones. "
        "Off: nothing goes between members by BitTorrent, in either direction.",
        live=True,
    )
