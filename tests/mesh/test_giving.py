import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from thorp.base.errors import ThorpError
from thorp.identity.ids import NodeId
from thorp.mesh import giving
from thorp.mesh.answers import RangeRefusedError
from thorp.mesh.giving import PIECE, Counter, FileChangedError, NotSharedError, TooManyFilesError, give, wants_part
from thorp.mesh.ports import Blob
from thorp.testing.process import until

ANN, BOB = NodeId("ann"), NodeId("bob")


def given(blob: Blob, asked: bytes | None = None) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(give(send, blob, asked))
    return sent


def test_a_file_goes_out_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(2 * PIECE + 1)
    (tmp_path / "a").write_bytes(content)
    start, *pieces = given(Blob(str(tmp_path / "a"), len(content), shareable=True))

    assert start["status"] == 200
    assert [len(one["body"]) for one in pieces] == [PIECE, PIECE, 1]
    assert b"".join(one["body"] for one in pieces) == content
    assert [one["more_body"] for one in pieces] == [True, True, False]


def test_an_empty_file_is_an_answer_too(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    start, end = given(Blob(str(tmp_path / "a"), 0, shareable=True))

    assert (start["status"], end["body"], end.get("more_body", False)) == (200, b"", False)


@pytest.mark.parametrize("kind", ["missing", "link", "folder", "pipe", "other size"])
def test_D43_what_is_not_the_verified_file_is_not_given(tmp_path: Path, kind: str) -> None:
    at = tmp_path / "a"
    (tmp_path / "real").write_bytes(b"abc")
    make = {"link": lambda: at.symlink_to(tmp_path / "real"), "folder": at.mkdir, "pipe": lambda: os.mkfifo(at)}
    if kind == "other size":
        at.write_bytes(b"abcd")
    elif kind != "missing":
        make[kind]()

    with pytest.raises(ThorpError):
        given(Blob(str(at), 3, shareable=True))


def test_D43_who_is_cut_off_while_a_file_is_opened_leaves_it_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    inside, go = threading.Event(), threading.Event()
    opened: list[int] = []
    real = giving._opened  # pyright: ignore[reportPrivateUsage]

    def slowly(path: Path, size: int) -> int:
        inside.set()
        go.wait(30)
        opened.append(real(path, size))
        return opened[0]

    def is_closed() -> bool:
        try:
            return not opened or Path(f"/proc/self/fd/{opened[0]}").readlink() != tmp_path / "a"
        except OSError:
            return True

    async def run() -> None:
        async def send(_message: Any) -> None:
            raise AssertionError("nothing is sent")

        giving_it = asyncio.ensure_future(give(send, Blob(str(tmp_path / "a"), 3, shareable=True), None))
        await asyncio.to_thread(inside.wait, 30)
        giving_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving_it
        go.set()
        await asyncio.to_thread(until, lambda: opened and is_closed(), "it is closed")

    monkeypatch.setattr(giving, "_opened", slowly)
    asyncio.run(run())


def test_what_is_not_shared_is_not_even_looked_at() -> None:
    with pytest.raises(NotSharedError):
        given(Blob("/nowhere", 1, shareable=False))


def test_a_file_that_shrinks_on_the_way_breaks_off(tmp_path: Path) -> None:
    at = tmp_path / "a"
    at.write_bytes(bytes(2 * PIECE))

    async def send(message: Any) -> None:
        os.truncate(at, 10)

    with pytest.raises(FileChangedError):
        asyncio.run(give(send, Blob(str(at), 2 * PIECE, shareable=True), b"bytes=100-"))


def test_a_file_that_is_not_shared_any_more_breaks_off(tmp_path: Path) -> None:
    """Whoever gives asks before each piece; what was kept back in the middle goes no further."""
    (tmp_path / "a").write_bytes(bytes(3 * PIECE))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def still() -> None:
        if len(sent) == 2:
            raise NotSharedError("No.")

    with pytest.raises(NotSharedError):
        asyncio.run(give(send, Blob(str(tmp_path / "a"), 3 * PIECE, shareable=True), None, still))
    assert [len(one["body"]) for one in sent[1:]] == [PIECE]


def test_files_at_once_are_counted_in_all_and_for_each() -> None:
    counter = Counter(room=3, each=2)
    with counter.one(ANN), counter.one(ANN):
        with pytest.raises(TooManyFilesError), counter.one(ANN):
            pass
        with counter.one(BOB), pytest.raises(TooManyFilesError), counter.one(BOB):
            pass
    assert counter._running == {}


def test_only_a_refused_range_says_how_large_the_file_is() -> None:
    assert wants_part(RangeRefusedError("No.", size=7)) == [(b"content-range", b"bytes */7")]
    assert wants_part(NotSharedError("No.")) == []
