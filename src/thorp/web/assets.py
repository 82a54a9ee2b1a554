"""The dashboard's files, served from memory: a file that was not there at the start can never be asked for."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

FOR_EVER: Final = "public, max-age=31536000, immutable"  # built file names carry a hash of their content
ASK_AGAIN: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    data: bytes
    media_type: str
    etag: str
    caching: str

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self.etag, "Cache-Control": self.caching}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.data, headers=headers, media_type=self.media_type)


def asset_of(file: Path, *, hashed: bool) -> Asset:
    data = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith("javascript"):
        kind += "; charset=utf-8"
    return Asset(data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"', FOR_EVER if hashed else ASK_AGAIN)


def load_assets(folder: Path) -> Mapping[str, Asset]:
    """Everything below `folder` by its path in the address, without following links. Empty when nothing was built."""
    found: dict[str, Asset] = {}
    if folder.is_dir():
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                name = file.relative_to(folder).as_posix()
                found[name] = asset_of(file, hashed=name.startswith("assets/"))
    return found
