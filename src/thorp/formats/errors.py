"""How a file of weights is refused. Every message names the file by its base name and says what is wrong with it."""

from typing import ClassVar

from thorp.base.errors import IntegrityError
from thorp.base.printable import printable

_SHOWN = 80  # characters of a name that a stranger chose


class FormatError(IntegrityError):
    """A file is not what a model file must be."""

    code = "formats.bad_file"
    remedy: ClassVar[str] = "Fetch it again, or take it from somewhere else."

    def __init__(self, name: str, complaint: str) -> None:
        super().__init__(f"`{shown(name)}` {complaint}. {self.remedy}".rstrip(), file=shown(name))


class BadGgufError(FormatError):
    """A GGUF file whose header makes no sense."""

    code = "formats.bad_gguf"


class BigEndianError(BadGgufError):
    """A GGUF file written for big-endian machines."""

    code = "formats.big_endian"
    remedy = "Take the little-endian file of the same model."


class BadSafetensorsError(FormatError):
    """A safetensors file whose header makes no sense."""

    code = "formats.bad_safetensors"


class BadConfigError(FormatError):
    """The `config.json` beside safetensors cannot be read."""

    code = "formats.bad_config"


class BadShardsError(FormatError):
    """Several files do not make one model."""

    code = "formats.bad_shards"
    remedy = "Fetch all parts of one model at one revision, and nothing else."


class PickleRefusedError(FormatError):
    """A format that runs code when it is opened."""

    code = "formats.pickle_refused"
    remedy = "Take the same model as GGUF or safetensors."


class UnknownFormatError(FormatError):
    """A file that is neither GGUF nor safetensors."""

    code = "formats.unknown"
    remedy = "Thorp reads GGUF and safetensors."


def shown(name: str) -> str:
    """A name out of a file or of a folder, fit for a message."""
    whole = printable(name[: _SHOWN + 1]).replace("\n", "\\n").replace("`", "'")
    return whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN - 1]}…"
