"""Points in time as people and JSON write them: RFC 3339, UTC, milliseconds."""

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 moment. Raises ValueError, also when the offset is missing."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`{text}` names no offset from UTC; end it with `Z`")
    return moment.timestamp()
