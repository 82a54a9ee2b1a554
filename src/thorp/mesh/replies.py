"""What another node answered, read as what it should be. Its refusals become errors of ours, in its words."""

from typing import Final, TypeVar, cast

from pydantic import ValidationError

from thorp.base.errors import NetworkError, NotAllowedError, NotFoundError, ThorpError, TryAgainError
from thorp.base.printable import printable
from thorp.mesh.ports import Answered
from thorp.wire.model import Message
from thorp.wire.strictjson import parse_json

M = TypeVar("M", bound=Message)
OK: Final = 200
UNCHANGED: Final = 304
UNAUTHENTICATED: Final = 401
NOT_FOUND: Final = 404
LATER: Final = frozenset({429, 503})
LONGEST_WORDS: Final = 300
LONGEST_CODE: Final = 64


class NotGreetedError(NotAllowedError):
    """A neighbour that does not know, or no longer knows, who asks."""

    code = "mesh.not_greeted"


class NeighbourRefusedError(NotAllowedError):
    """A neighbour that says no."""

    code = "mesh.refused"


class NotThereError(NotFoundError):
    """A neighbour that does not have, or does not show, what was asked for."""

    code = "mesh.not_there"


class NeighbourBusyError(TryAgainError):
    """A neighbour that has too much to do."""

    code = "mesh.neighbour_busy"


class BadReplyError(NetworkError):
    """A neighbour's answer that makes no sense."""

    code = "mesh.bad_reply"


def read_reply(reply: Answered, wanted: type[M]) -> M:
    """The answer as a message."""
    body = good_body(reply)
    try:
        return wanted.model_validate_json(body)
    except ValidationError:
        raise BadReplyError("A neighbour's answer is not what it should be. Do both run the same version?") from None


def good_body(reply: Answered) -> bytes:
    """The body of an answer that is one."""
    if reply.status != OK:
        raise refusal_of(reply)
    return reply.body


def refusal_of(reply: Answered) -> ThorpError:
    code, words = said(reply.body)
    told = f"The other node refuses: {words}" if words else f"The other node refuses (HTTP {reply.status})."
    if reply.status == UNAUTHENTICATED:
        return NotGreetedError(told, said=code)
    if reply.status == NOT_FOUND:
        return NotThereError(told, said=code)
    if reply.status in LATER:
        return NeighbourBusyError(told, said=code)
    return NeighbourRefusedError(told, said=code)


def said(body: bytes) -> tuple[str, str]:
    """Code and message of an error envelope, made harmless; empty where there is none."""
    try:
        read = parse_json(body)
    except ThorpError:
        return "", ""
    error = cast("dict[str, object]", read).get("error") if isinstance(read, dict) else None
    if not isinstance(error, dict):
        return "", ""
    fields = cast("dict[str, object]", error)
    return _words(fields.get("code"), LONGEST_CODE), _words(fields.get("message"), LONGEST_WORDS)


def _words(value: object, longest: int) -> str:
    return printable(value[:longest]).replace("\n", " ") if isinstance(value, str) else ""
