"""How a capability is declared, offered and called. One declaration; every face is derived from it.

`Capability` is the promise (data only). `Offer` is a node's way to keep it (handler and self-test). `Call` is one use.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from blake3 import blake3
from pydantic import TypeAdapter

from thorp.identity.principals import Principal
from thorp.identity.scopes import Scope
from thorp.identity.trust import Trust
from thorp.wire.canonical import canonical_bytes
from thorp.wire.model import Message

NAME: Final = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+")
NAMING: Final = frozenset({"properties", "$defs"})  # their keys are names
WORDS: Final = frozenset({"title", "description", "examples"})
VERSION: Final = re.compile(r"(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})")

RequestT = TypeVar("RequestT", bound=Message)


class Nothing(Message):
    """A request or an answer without fields."""


class Idempotent(StrEnum):
    YES = "yes"
    NO = "no"
    UNTIL_FIRST_FRAME = "until_first_frame"


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: float = 30.0  # deadline when the caller names none, and the longest one a caller may name
    concurrent: int = 64
    input_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class Example:
    """Shown in the reference and run by the conformance check; `answer` is None where it differs from node to node."""

    input: dict[str, object]
    answer: dict[str, object] | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Capability:
    name: str
    version: str
    summary: str
    request: type[Message]
    answer: type[Message]  # of a streamed capability: what its `done` carries
    frames: type[Message] | None = None
    params: type[Message] = Nothing  # what routing matches, e.g. `model`
    trust: Trust = Trust.OWNER
    scope: Scope | None = None  # the word that lets a key in; without it no key gets in
    mesh: bool = False  # may other nodes call it
    idempotent: Idempotent = Idempotent.NO
    limits: Limits = field(default_factory=Limits)
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"`{self.name}` is no capability name")
        if not VERSION.fullmatch(self.version):
            raise ValueError(f"`{self.version}` is no version; one looks like `1.0`")

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def minor(self) -> int:
        return int(self.version.partition(".")[2])

    def schema(self) -> dict[str, object]:
        """JSON Schema of everything that goes in and out. Equal hash of it means: speaks the same contract."""
        return {
            "name": self.name,
            "version": self.version,
            "params": schema_of(self.params),
            "request": schema_of(self.request),
            "answer": schema_of(self.answer),
            "frames": schema_of(self.frames) if self.frames else None,
        }

    def schema_hash(self) -> str:
        """Covers what decides whether two nodes understand each other, and no word that is only for people."""
        return blake3(canonical_bytes(without_words(self.schema()))).hexdigest()


def schema_of(message: type[Message]) -> dict[str, object]:
    return TypeAdapter(message).json_schema(ref_template="#/$defs/{model}")


def without_words(schema: object, *, named: bool = False) -> object:
    """A schema without its titles and descriptions. `named`: its keys name fields, not words of the language."""
    if isinstance(schema, dict):
        parts = cast("dict[str, object]", schema)
        return {
            key: without_words(part, named=key in NAMING and not named)
            for key, part in parts.items()
            if named or key not in WORDS
        }
    if isinstance(schema, list):
        return [without_words(part) for part in cast("list[object]", schema)]
    return schema


@dataclass(frozen=True, slots=True)
class Call(Generic[RequestT]):
    """One use of a capability, as its handler sees it."""

    input: RequestT
    principal: Principal
    request_id: str
    params: Message = field(default_factory=Nothing)


@dataclass(frozen=True, slots=True)
class Done:
    """What a streamed handler yields last, exactly once."""

    answer: Message


# A handler names its own request type; the bus has checked the request before it calls, so the offer forgets the type.
Unary: TypeAlias = Callable[[Call[Any]], Awaitable[Message]]
Streamed: TypeAlias = Callable[[Call[Any]], AsyncGenerator[Message | Done, None]]
SelfTest: TypeAlias = Callable[[], Awaitable[None]]


async def no_self_test() -> None:
    """For capabilities that cannot fail without the whole node failing."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A capability and how this node keeps it. Exactly one of `unary` and `streamed` is set."""

    capability: Capability
    unary: Unary | None = None
    streamed: Streamed | None = None
    self_test: SelfTest = no_self_test

    def __post_init__(self) -> None:
        if (self.streamed is not None) != (self.capability.frames is not None):
            raise ValueError(f"{self.capability.id}: a streamed handler and declared frames go together")
        if (self.unary is None) == (self.streamed is None):
            raise ValueError(f"{self.capability.id}: exactly one handler is needed")
