"""Letting other devices of the house reach this node's API, and ending it."""

from typing import Annotated

from pydantic import Field

from thorp.wire.capability import Capability, Idempotent, Nothing
from thorp.wire.model import Message


class ExposeRequest(Message):
    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104  (the owner's explicit verb)
    port: Annotated[int, Field(ge=0, le=65535)] | None = Field(default=None, description="null: `local.expose_port`.")
    plain: bool = Field(default=False, description="Without TLS: everybody on the network can read along.")


class ExposeAnswer(Message):
    address: str
    fingerprint: str | None = Field(description="SHA-256 of the certificate, to compare on the other device.")
    key: str = Field(description="A new key, shown only now.")
    key_id: str
    warning: str


EXPOSURE_OPEN = Capability(
    name="exposure.open",
    version="1.0",
    summary="Opens a second listener for other devices, with TLS and a new key.",
    request=ExposeRequest,
    answer=ExposeAnswer,
)


class UnexposeAnswer(Message):
    was_open: bool


EXPOSURE_CLOSE = Capability(
    name="exposure.close",
    version="1.0",
    summary="Closes the listener for other devices. Its keys stay until they are revoked.",
    request=Nothing,
    answer=UnexposeAnswer,
    idempotent=Idempotent.YES,
)
