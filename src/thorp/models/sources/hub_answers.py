"""What answers of a hub mean: statuses and headers in, errors and lengths out. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final, Protocol

from thorp.base.errors import ThorpError
from thorp.models.sources.hub_errors import (
    BadHubAnswerError,
    ChangedUpstreamError,
    GatedError,
    HubFailingError,
    HubRateLimitedError,
    NoAccessError,
    NoRangesError,
    NoSuchFileError,
    NoSuchRepoError,
    NoSuchRevisionError,
)
from thorp.models.types import RemoteFile

A_MINUTE: Final = 60.0
LONGEST_WAIT: Final = 3600.0  # seconds; whoever says more is asked again after that
_OK, _PARTIAL, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 206, 401, 403, 404
_TIMEOUT, _UNSATISFIABLE, _TOO_MANY, _FAILING = 408, 416, 429, 500
_LIMIT: Final = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,9})")  # of the `RateLimit` header: none left
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_DISABLED: Final = "Access to this resource is disabled."
_REJECTED: Final = "Invalid credentials in Authorization header"
_LOGIN: Final = "Sign in with `thorp login hub`, or set HF_TOKEN."


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, for the sentence that says what went wrong."""

    endpoint: str
    repo: str = ""
    revision: str | None = None
    file: str = ""
    with_token: bool = False


class Hop(Protocol):
    """One answer on the way to the bytes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


def wait_of(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date) or `RateLimit`; None when neither can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), LONGEST_WAIT)
    if text:
        try:
            return min(max(0.0, parsedate_to_datetime(text).timestamp() - now), LONGEST_WAIT)
        except (ValueError, OverflowError, OSError):
            pass
    found = _LIMIT.search(headers.get("ratelimit", ""))
    return min(float(found[1]), LONGEST_WAIT) if found else None


def judge(status: int, headers: Mapping[str, str], question: Question, *, by_hub: bool, now: float) -> None:
    """Raise what an answer without success means. `by_hub`: not a store that the hub sent us on to."""
    if status in (_OK, _PARTIAL):
        if headers.get("content-type", "").strip().lower().startswith("text/html"):
            raise BadHubAnswerError(
                f"`{question.endpoint}` answers with a web page. Does this network want a login first?"
            )
        return
    wait = wait_of(headers, now)
    if status == _TOO_MANY:
        hint = "" if question.with_token else " It allows more to who is signed in: `thorp login hub`."
        when = "wait a little" if wait is None else f"try again in {_span(wait)}"
        raise HubRateLimitedError(f"`{question.endpoint}` wants fewer requests; {when}.{hint}", retry_after=wait)
    if status >= _FAILING or status == _TIMEOUT:
        raise HubFailingError(
            f"`{question.endpoint}` is in trouble (HTTP {status}). Try again later.", retry_after=wait
        )
    if status == _UNSATISFIABLE:
        raise _changed(question, "is shorter than it was listed")
    if not by_hub:
        raise BadHubAnswerError(f"The store behind `{question.endpoint}` refuses the file (HTTP {status}).")
    raise _refusal(status, headers, question)


def _span(seconds: float) -> str:
    return f"{ceil(seconds / A_MINUTE)} min" if seconds > 2 * A_MINUTE else f"{ceil(seconds)} s"


def _refusal(status: int, headers: Mapping[str, str], question: Question) -> ThorpError:
    message = headers.get("x-error-message", "")
    if status == _UNAUTHORIZED and message == _REJECTED:
        return NoAccessError(
            f"{question.endpoint} does not accept the token it was shown. Make a new one there; then "
            "`thorp login hub`, or put it into HF_TOKEN."
        )
    if message == _DISABLED:
        return NoAccessError(f"`{question.repo}` is disabled at {question.endpoint}; nobody can fetch it.")
    if (missing := _missing(status, headers.get("x-error-code", ""), question)) is not None:
        return missing
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return NoAccessError(f"{question.endpoint} refuses the request (HTTP {status}). {_LOGIN}")
    return BadHubAnswerError(f"{question.endpoint} gave an answer that means nothing here (HTTP {status}).")


def _missing(status: int, code: str, question: Question) -> ThorpError | None:
    """What is not there, or not for everybody; the hub says 401 for both."""
    where = f"`{question.repo}` at {question.endpoint}"
    if code == "GatedRepo":
        return _gated(question)
    if code == "RevisionNotFound":
        return NoSuchRevisionError(f"{where} has no revision `{question.revision or 'main'}`.")
    if code == "EntryNotFound" or (status == _NOT_FOUND and code != "RepoNotFound" and question.file):
        return NoSuchFileError(f"{where} has no file `{question.file}`.")
    if question.repo and (code == "RepoNotFound" or status in (_UNAUTHORIZED, _NOT_FOUND)):
        hint = "or the token may not see it." if question.with_token else f"or is private. {_LOGIN}"
        return NoSuchRepoError(f"{where} does not exist, {hint}")
    return None


def _gated(question: Question) -> GatedError:
    page = f"{question.endpoint}/{question.repo}"
    then = "then try again" if question.with_token else "then sign in with `thorp login hub` (or set HF_TOKEN)"
    return GatedError(f"`{question.repo}` is gated: accept its terms at {page}, {then}.")


def _changed(question: Question, how: str) -> ChangedUpstreamError:
    return ChangedUpstreamError(
        f"`{question.file}` of `{question.repo}` {how}: it changed at {question.endpoint}. Start the pull anew."
    )


def check_identity(hops: Sequence[Hop], question: Question, file: RemoteFile, *, by_hub: bool) -> None:
    """Raise ChangedUpstreamError when any answer on the way says that this is another file or revision."""
    expected = file.blob.lower()  # of files kept by LFS or Xet it is the SHA-256
    for hop in hops:
        commit = hop.headers.get("x-repo-commit", "")
        if commit and question.revision and commit != question.revision:
            raise _changed(question, "belongs to another revision now")
        if hop.headers.get("x-linked-size", str(file.size)) != str(file.size):
            raise _changed(question, "has another size than it was listed with")
    linked = [_bare(hop.headers["x-linked-etag"]) for hop in hops if "x-linked-etag" in hop.headers]
    own = [_bare(hops[-1].headers["etag"])] if by_hub and not linked and "etag" in hops[-1].headers else []
    if any(tag != expected for tag in (*linked, *own)):
        raise _changed(question, "has another hash than it was listed with")


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"').lower()


def check_range(answer: Hop, question: Question, file: RemoteFile, first: int, end: int) -> None:
    """Raise unless the answer is exactly the bytes from `first` up to `end` of a file of that size."""
    length = answer.headers.get("content-length")
    if answer.status == _OK:
        if (first, end) != (0, file.size):
            raise NoRangesError(f"`{question.endpoint}` sent the whole of `{file.path}` where a part was asked for.")
        if length != str(file.size):
            raise BadHubAnswerError(f"`{question.endpoint}` says another length of `{file.path}` than it listed.")
        return
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found is not None and int(found[3]) != file.size:  # first: a shorter file cannot give the part, and never will
        raise _changed(question, "has another size than it was listed with")
    if found is None or (int(found[1]), int(found[2]) + 1) != (first, end):
        raise BadHubAnswerError(f"`{question.endpoint}` sent another part of `{file.path}` than was asked for.")
    if length is not None and length != str(end - first):
        raise BadHubAnswerError(f"`{question.endpoint}` sent a length that does not fit its range of `{file.path}`.")
