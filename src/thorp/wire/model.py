"""The one strict base of everything that crosses an edge: files, HTTP, the mesh."""

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

SHOULD: Final = re.compile(r"^[A-Z][a-z]* should ")
IN_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "has no place here",
    "string_type": "has to be text",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "list_type": "has to be a list",
    "tuple_type": "has to be a list",
    "dict_type": "has to be an object",
    "model_type": "has to be an object",
}


class Message(BaseModel):
    """Frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def misfits(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """Which fields do not fit, and why, as the second half of a sentence that begins with the field."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(
        (".".join(map(str, one["loc"])), IN_WORDS.get(one["type"]) or SHOULD.sub("has to ", one["msg"]))
        for one in found
    )
