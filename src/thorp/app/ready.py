"""What a node tells when it can be used, and how a child in the background tells it to its parent."""

import json
from dataclasses import asdict, dataclass
from typing import Any, cast

from thorp.base.errors import ThorpError


def login_url(address: str, code: str | None) -> str:
    """What to open in a browser: the code stands in the fragment, which no server ever sees."""
    return f"{address}/" + (f"#code={code}" if code else "")


@dataclass(frozen=True, slots=True)
class Ready:
    """A node that can be used."""

    address: str  # http://127.0.0.1:8737
    code: str | None  # the claim code, while nobody claimed the node
    node_id: str
    name: str
    pid: int

    @property
    def url(self) -> str:
        return login_url(self.address, self.code)


@dataclass(frozen=True, slots=True)
class StartFailed:
    """Why the child did not start, in its own words."""

    code: str
    message: str
    exit_code: int


def ready_line(ready: Ready) -> bytes:
    return json.dumps({"ready": asdict(ready)}).encode() + b"\n"


def failed_line(error: ThorpError) -> bytes:
    failed = StartFailed(error.code, error.message, error.exit_code)
    return json.dumps({"failed": asdict(failed)}).encode() + b"\n"


def parse_line(line: bytes) -> Ready | StartFailed | None:
    """What the child said; None when it ended without a word."""
    try:
        told: object = json.loads(line)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    said = cast("dict[str, dict[str, Any]]", told)
    if "ready" in said:
        return Ready(**said["ready"])
    return StartFailed(**said["failed"]) if "failed" in said else None
