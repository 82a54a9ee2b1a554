"""How an error looks on every HTTP face of our own: one envelope, one set of headers."""

import math
from collections.abc import Mapping
from typing import cast

from thorp.base.errors import ThorpError
from thorp.base.redact import without_folders
from thorp.wire.faults import fault_of

UNAUTHENTICATED = 401
UNAVAILABLE = 503
RETRY_AFTER_UNKNOWN = 5.0  # seconds; a 503 always says when to come back


def told(error: BaseException) -> str:
    """An error in words that may leave the house: what failed is everybody's business, where it lies is the owner's.

    Whoever keeps or shows the text of an error takes it from here; only the log and the owner's own terminal do not.
    """
    return without_folders(str(error))


def error_body(error: ThorpError, *, at_home: bool = False) -> dict[str, object]:
    """The class's own code, the word all nodes share, and a message for a person.

    Only `at_home`, on the owner's own terminal, does it tell in which folders things lie.
    """
    message, details = (error.message, error.details) if at_home else (told(error), abroad(error.details))
    return {"error": {"code": error.code, "fault": fault_of(error).value, "message": message, "details": details}}


def abroad(value: object) -> object:
    """The same with the names of files alone."""
    if isinstance(value, str):
        return without_folders(f"`{value}`")[1:-1] if value.startswith("/") else without_folders(value)
    if isinstance(value, Mapping):
        return {key: abroad(one) for key, one in cast("Mapping[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [abroad(one) for one in cast("list[object]", value)]
    return value


def error_headers(error: ThorpError) -> dict[str, str]:
    headers: dict[str, str] = {}
    wait = error.retry_after
    if wait is None and error.status == UNAVAILABLE:
        wait = RETRY_AFTER_UNKNOWN
    if wait is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    if error.status == UNAUTHENTICATED:
        # Never `Basic`: a browser would answer it with a password box of its own.
        headers["WWW-Authenticate"] = 'Bearer realm="thorp"'
    return headers


def raw_error_headers(error: ThorpError) -> list[tuple[bytes, bytes]]:
    """The same as they go over the wire."""
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in error_headers(error).items()]
