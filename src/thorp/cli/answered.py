"""An error that the node answered with, told here as the node told it."""

from typing import Any, Final, cast

from thorp.base.amounts import size
from thorp.base.errors import FAMILIES, ThorpError, every_error
from thorp.wire.envelope import error_body

EXIT_CODES: Final = {family.status: family.exit_code for family in FAMILIES}
WRONG_REQUEST: Final = range(400, 500)
BEYOND: Final = 256  # no exit code
BY_FAULT: Final = {
    "bad_request": 2,
    "schema_mismatch": 2,
    "not_found": 3,
    "not_implemented": 3,
    "unauthorized": 4,
    "revoked": 4,
    "expired": 4,
    "partition": 5,
    "invalid_signature": 6,
    "capacity_exceeded": 8,
    "rate_limited": 8,
    "timeout": 75,
}  # for errors in the middle of a stream, which have no status of their own


class AnsweredError(ThorpError):
    """The node refused or failed; code, message and details are its own."""

    code = "cli.answered"

    def __init__(self, status: int | None, told: dict[str, Any]) -> None:
        nothing = f"The node answered with status {status} and no words." if status else "The stream broke off."
        super().__init__(str(told.get("message", nothing)))
        self.http_status = status
        self.told = told


def answered(status: int | None, body: object) -> AnsweredError:
    """The error in an answer, whatever sent it."""
    told = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    if isinstance(told, dict):
        return AnsweredError(status, cast("dict[str, Any]", told))
    return AnsweredError(status, {"code": AnsweredError.code, "details": {"status": status}})


def exit_code_of(error: ThorpError) -> int:
    if isinstance(error, AnsweredError):
        if error.http_status is None:
            return _by_words(error.told)
        return EXIT_CODES.get(error.http_status, 2 if error.http_status in WRONG_REQUEST else 1)
    return error.exit_code


def _by_words(told: dict[str, Any]) -> int:
    """Of an error without a status: what its details say, else what its code or its fault means here."""
    said = details_of(told).get("exit_code")
    if isinstance(said, int) and not isinstance(said, bool) and 0 < said < BEYOND:
        return said
    known = {one.code: one.exit_code for one in every_error()}
    return known.get(str(told.get("code")), BY_FAULT.get(str(told.get("fault")), 1))


def details_of(told: dict[str, Any]) -> dict[str, Any]:
    found = told.get("details")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def choices_of(error: ThorpError) -> list[str]:
    """What could have been meant, one on each line, where the error knows that."""
    details = details_of(error.told) if isinstance(error, AnsweredError) else error.details
    found = details.get("choices") or details.get("repos")
    rows = [cast("dict[str, Any]", one) for one in cast("list[object]", found or ()) if isinstance(one, dict)]
    names = [str(one.get("ref") or one.get("repo") or "") for one in rows]
    width = max(map(len, names), default=0)
    more = ["  ".join(filter(None, (_size(one), str(one.get("fit") or "")))) for one in rows]
    return [f"  {name:<{width}}  {words}".rstrip() for name, words in zip(names, more, strict=True)]


def _size(row: dict[str, Any]) -> str:
    return size(row["size_bytes"]) if isinstance(row.get("size_bytes"), int) else ""


def told_of(error: ThorpError) -> dict[str, object]:
    """The envelope of an error: as the node told it, or as it would have."""
    return {"error": error.told} if isinstance(error, AnsweredError) else error_body(error, at_home=True)
