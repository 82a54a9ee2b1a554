"""What a fault makes of a request and of its answer. Pure."""

import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from thorp.testing.hub.answers import Answer, Framing, Hold, redirect, refusal, text_answer
from thorp.testing.hub.content import body_of, bytes_of, flipped, length_of
from thorp.testing.hub.faults import Fault, FaultKind
from thorp.testing.hub.request import Request

_PAGE: Final = "<!doctype html><title>Log in</title><h1>Welcome to the network of this hotel</h1>"


def instead(fault: Fault, request: Request) -> Answer | None:
    """The answer of a fault that looks at no file; None where the hub answers and the fault changes it."""
    match fault.kind:
        case FaultKind.RATE_LIMITED:
            wait = ("Retry-After", fault.value or f"{fault.seconds:g}")
            return refusal(429, "", "You have reached your rate limit.", wait)
        case FaultKind.SERVER_ERROR:
            wait = (("Retry-After", fault.value),) if fault.value else ()
            return refusal(fault.status or 503, "", "Internal Error - We're working hard to fix this.", *wait)
        case FaultKind.LOGIN_PAGE:
            return text_answer(200, fault.value or _PAGE, kind="text/html")
        case FaultKind.REDIRECT:
            return redirect(fault.status or 302, fault.value or request.target)
        case FaultKind.DROP:
            return Answer(0, reset=fault.reset)
        case _:
            return None


def asked_otherwise(fault: Fault, request: Request) -> Request:
    """What the hub is made to believe was asked."""
    if fault.kind is FaultKind.IGNORE_RANGE:
        return request.without("range")
    if fault.kind is FaultKind.CHANGED_ETAG and "if-range" in request.headers:
        return request.without("range", "if-range")
    return request


def changed(fault: Fault, answer: Answer) -> Answer:
    """The answer as the fault leaves it."""
    change = _CHANGES.get(fault.kind)
    return change(fault, answer) if change else answer


def _held(fault: Fault, answer: Answer) -> Answer:
    place = fault.after if fault.at is None else fault.at - (answer.first or 0)
    hold = Hold(max(0, place), fault.kind is FaultKind.STALL, fault.seconds)
    return replace(answer, hold=hold, reset=fault.reset)


def _slow(fault: Fault, answer: Answer) -> Answer:
    return replace(answer, rate=fault.rate)


def _wrong_bytes(fault: Fault, answer: Answer) -> Answer:
    start = 0 if fault.at is None else fault.at - (answer.first or 0)
    count = fault.length + min(0, start)
    return replace(answer, body=flipped(answer.body, max(0, start), count))


def _wrong_length(fault: Fault, answer: Answer) -> Answer:
    if linked := answer.header("X-Linked-Size"):
        return answer.having("X-Linked-Size", str(int(linked) + fault.length))
    return replace(answer, stated=max(0, length_of(answer.body) + fault.length))


def _more_bytes(fault: Fault, answer: Answer) -> Answer:
    return replace(answer, body=(*answer.body, *body_of(b"\xee" * fault.length)))


def _no_length(fault: Fault, answer: Answer) -> Answer:
    return replace(answer, framing=Framing.CLOSE if fault.value == "close" else Framing.CHUNKED)


def _wrong_range(fault: Fault, answer: Answer) -> Answer:
    true = answer.header("Content-Range") or ""
    shifted = re.sub(r"(\d+)-(\d+)", lambda found: f"{int(found[1]) + 1}-{int(found[2]) + 1}", true)
    return answer.having("Content-Range", fault.value or shifted)


def _changed_etag(fault: Fault, answer: Answer) -> Answer:
    for name in ("ETag", "X-Linked-ETag"):
        if old := answer.header(name):
            answer = answer.having(name, f'"{fault.value or hashlib.sha256(old.encode()).hexdigest()}"')
    return answer


def _gzip(_: Fault, answer: Answer) -> Answer:
    packed = gzip.compress(bytes_of(answer.body), compresslevel=1, mtime=0)
    return replace(answer, body=body_of(packed)).having("Content-Encoding", "gzip")


_CHANGES: Final[dict[FaultKind, Callable[[Fault, Answer], Answer]]] = {
    FaultKind.CUT: _held,
    FaultKind.STALL: _held,
    FaultKind.SLOW: _slow,
    FaultKind.WRONG_BYTES: _wrong_bytes,
    FaultKind.WRONG_LENGTH: _wrong_length,
    FaultKind.MORE_BYTES: _more_bytes,
    FaultKind.NO_LENGTH: _no_length,
    FaultKind.WRONG_RANGE: _wrong_range,
    FaultKind.CHANGED_ETAG: _changed_etag,
    FaultKind.GZIP: _gzip,
}
