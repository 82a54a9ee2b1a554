"""Files as members get them: opened without following a link, compared with what the library says, sent in pieces."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from starlette.types import Send

from thorp.base.errors import BusyError, IntegrityError, NotFoundError, ThorpError
from thorp.base.files import explaining
from thorp.identity.ids import NodeId
from thorp.mesh.answers import RangeRefusedError, range_of
from thorp.mesh.ports import Blob
from thorp.net.answers import NO_STORE

PIECE: Final = 256 * 1024
FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
AT_ONCE: Final = 128
AT_ONCE_EACH: Final = 24

Still: TypeAlias = Callable[[], Awaitable[None]]


class NotSharedError(NotFoundError):
    """Bytes that are not here, or that members do not get; nobody is told which."""

    code = "mesh.not_shared"


class FileChangedError(IntegrityError):
    """A file that is not what the library says any more."""

    code = "mesh.file_changed"


class TooManyFilesError(BusyError):
    """More at once than a node gives."""

    code = "mesh.too_many_files"


class Counter:
    """How many answers of one kind are on their way out, in all and to each."""

    def __init__(self, room: int = AT_ONCE, each: int = AT_ONCE_EACH) -> None:
        self._room = room
        self._each = each
        self._running: dict[NodeId, int] = {}

    @contextmanager
    def one(self, node: NodeId) -> Generator[None]:
        mine = self._running.get(node, 0)
        if mine >= self._each or sum(self._running.values()) >= self._room:
            raise TooManyFilesError("This node gives enough just now; try again shortly.", retry_after=1.0)
        self._running[node] = mine + 1
        try:
            yield
        finally:
            self._running[node] -= 1
            if not self._running[node]:
                del self._running[node]


async def always() -> None:
    """What is given now may be given to its end."""


async def give(send: Send, blob: Blob, asked: bytes | None, still: Still = always) -> None:
    """The file, or the part of it that is asked for. `still` refuses once it is not shared any more."""
    if not blob.shareable:
        raise not_shared()
    span = range_of(asked, blob.size)
    async with _opening(Path(blob.path), blob.size) as handle:
        await _start(send, span, blob.size)
        await _pour(send, handle, span or (0, blob.size), still)


def not_shared() -> NotSharedError:
    return NotSharedError("This node does not share that.")


def wants_part(error: ThorpError) -> list[tuple[bytes, bytes]]:
    """What a refused range says beside the refusal."""
    if isinstance(error, RangeRefusedError):
        return [(b"content-range", b"bytes */%d" % int(str(error.details["size"])))]
    return []


@asynccontextmanager
async def _opening(path: Path, size: int) -> AsyncGenerator[int]:
    """The file, open until this is left. Who is cut off meanwhile leaves nothing open either."""
    opening = asyncio.get_running_loop().run_in_executor(None, _opened, path, size)
    try:
        handle = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise
    try:
        yield handle
    finally:
        os.close(handle)


def _close_late(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _opened(path: Path, size: int) -> int:
    with explaining("read", path):
        handle = os.open(path, FLAGS)
    try:
        found = os.fstat(handle)
    except BaseException:
        os.close(handle)
        raise
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        os.close(handle)
        raise FileChangedError("A file is not what it was when it was verified; it is not given.")
    return handle


async def _start(send: Send, span: tuple[int, int] | None, size: int) -> None:
    first, end = span or (0, size)
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % (end - first)),
        (b"accept-ranges", b"bytes"),
        NO_STORE,
    ]
    if span is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (first, end - 1, size)))
    await send({"type": "http.response.start", "status": 200 if span is None else 206, "headers": headers})


async def _pour(send: Send, handle: int, span: tuple[int, int], still: Still) -> None:
    """Piece by piece; `send` waits until the other side takes more, and refuses once it may not have it."""
    first, end = span
    at = first
    while at < end:
        piece = await asyncio.to_thread(os.pread, handle, min(PIECE, end - at), at)
        if not piece:
            raise FileChangedError("A file became shorter while it was given.")
        at += len(piece)
        await still()
        await send({"type": "http.response.body", "body": piece, "more_body": at < end})
    if first == end:
        await send({"type": "http.response.body", "body": b""})
