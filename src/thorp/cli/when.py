"""Points in time as people read them: local time, to the minute. What programs read stays RFC 3339."""

from datetime import datetime, tzinfo


def when(text: str | None, zone: tzinfo | None = None) -> str:
    """An RFC 3339 moment in this zone, without one in the machine's own; what is no moment stays as it is."""
    try:
        moment = datetime.fromisoformat(text or "")
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment.tzinfo else text or ""
    except (ValueError, OverflowError):
        return text or ""
