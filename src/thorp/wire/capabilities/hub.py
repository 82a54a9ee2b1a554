"""Looking for models on the hub, and among neighbours."""

from typing import Annotated, Literal

from pydantic import Field

from thorp.identity.scopes import Scope
from thorp.wire.capability import Capability, Example, Idempotent, Limits
from thorp.wire.model import Message

MOST_HITS = 100


class HubSearch(Message):
    q: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="Words to look for, such as `mistral`.")
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = Field(default=20, description="How many at most.")
    source: Literal["hub", "lan"] = Field(default="hub", alias="from", description="lan: what neighbours have.")


class HubHit(Message):
    repo: str
    downloads: int
    likes: int
    gated: bool = Field(description="Whether its owners ask for an agreement first.")
    license: str | None
    updated: str | None = Field(description="RFC 3339, UTC.")
    parameters: int | None
    tags: tuple[str, ...]
    quants: tuple[str, ...] = Field(default=(), description="Known only of what neighbours have.")
    neighbours: tuple[str, ...] = Field(default=(), description="Which neighbours say they have something of it.")


class HubHits(Message):
    hub: str = Field(description="Which hub was asked; `the household` where neighbours were.")
    results: tuple[HubHit, ...]


HUB_SEARCH = Capability(
    name="hub.search",
    version="1.0",
    summary="Looks for GGUF models on the hub, most downloaded first.",
    request=HubSearch,
    answer=HubHits,
    scope=Scope.MODELS_READ,
    idempotent=Idempotent.YES,
    limits=Limits(seconds=60, concurrent=8),
    examples=(Example(input={"q": "mistral", "limit": 5}),),
)
