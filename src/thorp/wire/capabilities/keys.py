"""API keys: what a program shows instead of being the owner."""

from typing import Annotated

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.wire.capability import Capability, Example, Idempotent, Nothing
from thorp.wire.model import Message

ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class KeyRequest(Message):
    name: Annotated[str, Field(max_length=64)] = Field(description="For people: which program or device uses it.")
    scopes: Annotated[tuple[str, ...], Field(max_length=32)] = Field(
        default=(Scope.INFERENCE.value,), description="What the key opens."
    )
    models: Annotated[tuple[ModelName, ...], Field(max_length=256)] = Field(
        default=(), description="The only models it may use; empty: every model."
    )
    rpm: int | None = Field(default=None, description="Requests per minute; null: no limit.")
    expires: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="RFC 3339 with its offset; null: never."
    )


class NewKeyAnswer(Message):
    id: str
    key: str = Field(description="The key itself, shown only now.")
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...]
    rpm: int | None
    created: str = Field(description="RFC 3339, UTC.")
    expires: str | None
    made_by: str | None = Field(description="The key it was made with, whose limits it shares; null: the owner.")


KEYS_CREATE = Capability(
    name="keys.create",
    version="1.0",
    summary="Makes an API key. A key can make only keys that open no more than itself.",
    request=KeyRequest,
    answer=NewKeyAnswer,
    scope=Scope.KEYS_WRITE,
    examples=(Example(input={"name": "laptop", "scopes": ["inference"]}, says="A key for the laptop."),),
)


class KeyRow(Message):
    id: str
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...]
    rpm: int | None
    created: str = Field(description="RFC 3339, UTC.")
    expires: str | None
    made_by: str | None = Field(description="The key it was made with, whose limits it shares; null: the owner.")
    revoked: str | None


class KeysAnswer(Message):
    keys: tuple[KeyRow, ...]


KEYS_LIST = Capability(
    name="keys.list",
    version="1.0",
    summary="Lists every key, oldest first, without its secret; of the dead ones the last thousand.",
    request=Nothing,
    answer=KeysAnswer,
    scope=Scope.KEYS_WRITE,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class KeyId(Message):
    id: Annotated[str, Field(max_length=64)] = Field(description="For example `k4q7m2x9a`.")


class RevokedAnswer(Message):
    id: str
    revoked: str = Field(description="RFC 3339, UTC.")


KEYS_REVOKE = Capability(
    name="keys.revoke",
    version="1.0",
    summary="Ends a key at once, every key made with it, and every call that runs on them.",
    request=KeyId,
    answer=RevokedAnswer,
    scope=Scope.KEYS_WRITE,
    idempotent=Idempotent.YES,
)
