"""The one strict base of everything that crosses an edge: files, HTTP, the mesh."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
