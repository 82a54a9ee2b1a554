"""Dashboard sessions: which browsers are signed in as the owner, and how the owner signs them out from elsewhere."""

from typing import Annotated

from pydantic import Field

from thorp.wire.capability import Capability, Example, Idempotent, Nothing
from thorp.wire.model import Message


class SessionRow(Message):
    id: str
    created: str = Field(description="RFC 3339, UTC.")
    expires: str
    this: bool = Field(description="Whether it is the session that asks.")


class SessionsAnswer(Message):
    sessions: tuple[SessionRow, ...]


SESSIONS_LIST = Capability(
    name="sessions.list",
    version="1.0",
    summary="Lists the dashboard sessions that are signed in, oldest first.",
    request=Nothing,
    answer=SessionsAnswer,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class SessionsEnd(Message):
    id: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="For example `s4q7m2x9a`.")
    others: bool = Field(default=False, description="Instead of one: every session but the one that asks.")


class EndedAnswer(Message):
    ended: tuple[str, ...] = Field(description="Those that ended now; what had ended before is left out.")


SESSIONS_END = Capability(
    name="sessions.end",
    version="1.0",
    summary="Ends one dashboard session, or every other one, at once, and every call that runs on it.",
    request=SessionsEnd,
    answer=EndedAnswer,
    idempotent=Idempotent.YES,
)
