"""What `config.json` beside safetensors says about a model: a few numbers and names, read as data.

Whatever it says about code to fetch or to run (`auto_map`, `trust_remote_code`, `custom_pipelines`) is not looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from thorp.formats.errors import BadConfigError
from thorp.formats.opened import mapped

LARGEST: Final = 1024 * 1024
MOST: Final = 2**53
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Config:
    """Fields of the text model where a configuration describes several."""

    fields: Mapping[str, object]
    parts: frozenset[str]  # names of the models inside: `text_config`, `vision_config`

    def text(self, name: str) -> str | None:
        found = self.fields.get(name)
        return found[:_LONGEST] if isinstance(found, str) and found else None

    def count(self, *names: str) -> int | None:
        """The first of these that is there."""
        for name in names:
            found = self.fields.get(name)
            if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= MOST:
                return found
        return None


def read_config(path: Path) -> Config:
    with mapped(path) as data:
        if len(data) > LARGEST:
            raise BadConfigError(path.name, f"has {len(data)} bytes; {LARGEST} are the most")
        body = bytes(data)
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise BadConfigError(path.name, "is no JSON as it should be") from None
    if not isinstance(found, dict):
        raise BadConfigError(path.name, "is no JSON object")
    whole = cast("dict[str, object]", found)
    inner = whole.get("text_config")
    fields = whole | cast("dict[str, object]", inner) if isinstance(inner, dict) else whole
    parts = frozenset(name for name in whole if name in ("text_config", "vision_config", "audio_config"))
    return Config(fields, parts)
