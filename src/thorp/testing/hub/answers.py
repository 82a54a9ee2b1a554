"""What the fake hub answers, as a value: a fault changes it, and the line sends it."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from thorp.testing.hub.content import Body, body_of, length_of

Headers = tuple[tuple[str, str], ...]
_ONE_LINE: Final = str.maketrans("\r\n\0", "   ")


class Framing(StrEnum):
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"  # the end of the connection is the end of the answer


@dataclass(frozen=True, slots=True)
class Hold:
    """Where the sender stops in the middle of an answer."""

    at: int  # bytes of the body
    stalls: bool  # keeps the connection open; else it closes
    seconds: float = 0.0  # then goes on; 0: never


@dataclass(frozen=True, slots=True)
class Answer:
    status: int  # 0: the connection closes without an answer
    headers: Headers = ()
    body: Body = ()
    first: int | None = None  # of an answer with bytes of a file: where in the file they begin
    framing: Framing = Framing.LENGTH
    stated: int | None = None  # Content-Length where it is not the truth
    hold: Hold | None = None
    rate: int = 0  # bytes in a second; 0: as fast as they go
    close: bool = False  # after this answer
    reset: bool = False  # whatever closes, closes with a reset

    def header(self, name: str) -> str | None:
        return next((text for key, text in self.headers if key.lower() == name.lower()), None)

    def having(self, name: str, text: str | None) -> "Answer":
        """The same with another header; None takes it away."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=others if text is None else (*others, (name, text)))


def head_of(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {phrase(answer.status)}"]
    lines += [f"{name}: {text.translate(_ONE_LINE)}" for name, text in answer.headers]
    if answer.framing is Framing.LENGTH:
        stated = length_of(answer.body) if answer.stated is None else answer.stated
        lines.append(f"Content-Length: {stated}")
    if answer.framing is Framing.CHUNKED:
        lines.append("Transfer-Encoding: chunked")
    if closes(answer):
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Whatever"


def closes(answer: Answer) -> bool:
    return answer.close or answer.framing is Framing.CLOSE or answer.stated is not None


def json_answer(data: object, *headers: tuple[str, str], status: int = 200) -> Answer:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, (("Content-Type", "application/json; charset=utf-8"), *headers), body_of(text))


def text_answer(status: int, text: str, *headers: tuple[str, str], kind: str = "text/plain") -> Answer:
    return Answer(status, (("Content-Type", f"{kind}; charset=utf-8"), *headers), body_of(text.encode()))


def redirect(status: int, location: str, *headers: tuple[str, str]) -> Answer:
    words = f"{phrase(status)}. Redirecting to {location}"
    return text_answer(status, words, ("Location", location), *headers)


def refusal(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """As the hub refuses: its own code and message stand in headers."""
    coded = (("X-Error-Code", code),) if code else ()
    return json_answer({"error": message}, *coded, ("X-Error-Message", message), *headers, status=status)
