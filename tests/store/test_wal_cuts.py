"""Power lost at any point of the WAL: what is left is what was acknowledged up to there, in order."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.store.conftest import ROWS
from thorp.store.database import Database
from thorp.testing.clock import FakeClock

HEADER = 32
FRAME_HEADER = 24
FRAME = FRAME_HEADER + 4096
WRITES = 40


def written(path: Path, folder: Path) -> None:
    """Leave in `folder` what a kill leaves after acknowledged writes, all of which are in the WAL only."""

    async def write() -> None:
        for number in range(WRITES):
            word = f"{number:0600}"  # several rows a page, so that some commits need more than one frame
            await database.write(lambda c, word=word: c.execute("INSERT INTO rows (word) VALUES (?)", (word,)).rowcount)

    database = Database(path, ROWS, FakeClock())
    database.open()
    database.close()
    database.open()
    asyncio.run(write())
    for file in path.parent.glob("test.db*"):
        shutil.copy(file, folder)
    database.close()


def commits_before(wal: bytes, end: int) -> int:
    """How many commits lie whole before byte `end`: a frame that ends one holds the size of the database."""
    starts = range(HEADER, end - FRAME + 1, FRAME)
    return sum(wal[start + 4 : start + 8] != bytes(4) for start in starts)


def cuts(size: int) -> Iterator[int]:
    """In the header, and at the boundary, in the header and in the middle of every frame."""
    yield from (0, HEADER // 2)
    for start in range(HEADER, size, FRAME):
        yield from (start, start + FRAME_HEADER // 2, start + FRAME // 2)
    yield from (size - 1, size)


def survivors(folder: Path) -> list[str]:
    database = Database(folder / "test.db", ROWS, FakeClock())
    database.open()
    assert database.stopped_cleanly is False
    assert database.check() == ()
    with database.read() as connection:
        rows = [word for (word,) in connection.execute("SELECT word FROM rows ORDER BY id")]
    database.close()
    return rows


def test_a_wal_cut_anywhere_leaves_what_was_acknowledged_before_the_cut(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    written(tmp_path / "test.db", left)
    wal = (left / "test.db-wal").read_bytes()
    assert commits_before(wal, len(wal)) == WRITES
    (left / "test.db-shm").unlink()

    for number, cut in enumerate(cuts(len(wal))):
        folder = tmp_path / f"{number}"
        shutil.copytree(left, folder)
        (folder / "test.db-wal").write_bytes(wal[:cut])
        expected = [f"{row:0600}" for row in range(commits_before(wal, cut))]
        assert survivors(folder) == expected, f"cut at byte {cut} of {len(wal)}"
        shutil.rmtree(folder)
