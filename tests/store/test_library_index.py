"""The index of receipts: never wrong for long, whoever writes it and however it was damaged."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from thorp.store.library_index import VERSION, LibraryIndex

SRC = Path(__file__).parents[2] / "src"
WRITER = """
import sys
from pathlib import Path
from thorp.store.library_index import LibraryIndex
index, folder, name = LibraryIndex(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    key = f"{name}-{number}"
    (folder / key).write_text(key)
    if number % 10 == 5:
        index.replace(lambda: ([(one.name, one.read_bytes()) for one in folder.iterdir()], ()))
    else:
        index.put(key, key.encode())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


@pytest.fixture
def index(path: Path) -> LibraryIndex:
    index = LibraryIndex(path)
    index.replace(lambda: ([("b", b"2"), ("a", b"1")], ()))
    return index


def test_what_was_put_is_there_by_key_until_it_is_dropped(index: LibraryIndex, path: Path) -> None:
    index.put("c", b"3")
    index.put("a", b"one")
    assert LibraryIndex(path).texts() == (b"one", b"2", b"3")

    index.drop("a")
    index.drop("never there")
    assert LibraryIndex(path).texts() == (b"2", b"3")

    index.replace(lambda: ((), ()))
    assert index.texts() == ()


def test_none_is_to_be_made_and_one_row_makes_none(path: Path) -> None:
    index = LibraryIndex(path)
    assert index.texts() is None

    index.put("a", b"1")
    index.drop("b")

    assert index.texts() is None
    assert not path.exists()


def another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def without_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE receipts")


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribbled(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"x" * 4096)


DAMAGES = [
    another_version,
    without_table,
    half,
    scribbled,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"no database at all" * 1000),
    lambda path: path.with_name("library.db-journal").write_bytes(b"x" * 5000),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_C45_what_is_damaged_or_of_another_version_is_made_anew(index: LibraryIndex, path: Path, damage) -> None:
    damage(path)

    assert index.texts() in (None, (b"1", b"2"))
    index.replace(lambda: ([("z", b"26")], ()))
    assert index.texts() == (b"26",)
    index.put("y", b"25")
    assert index.texts() == (b"25", b"26")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("work", [lambda index: index.put("c", b"3"), lambda index: index.drop("c")])
def test_C45_a_change_of_a_damaged_one_never_passes_for_the_whole(
    index: LibraryIndex, path: Path, damage, work
) -> None:
    damage(path)

    work(index)

    assert index.texts() in (None, (b"1", b"2"), (b"1", b"2", b"3"))


def test_a_reading_that_fails_leaves_the_old_one(index: LibraryIndex) -> None:
    def read() -> Iterable[tuple[str, bytes]]:
        yield ("c", b"3")
        raise RuntimeError("the disk")

    with pytest.raises(RuntimeError):
        index.replace(lambda: (read(), ()))

    assert index.texts() == (b"1", b"2")


def test_C37_where_none_can_be_kept_there_is_none_and_no_error(tmp_path: Path) -> None:
    index = LibraryIndex(tmp_path / "none" / "library.db")
    index.replace(lambda: ([("a", b"1")], ["`b` cannot be read"]))
    index.put("a", b"1")

    assert index.texts() is None


def test_what_is_put_while_it_is_made_anew_is_not_lost(index: LibraryIndex, path: Path) -> None:
    """The one that makes it anew has read the receipts already; the other one has to wait for it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        seen: list[str] = []

        def read() -> tuple[list[tuple[str, bytes]], list[str]]:
            other.execute("PRAGMA busy_timeout = 0")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            seen.append("locked")
            return [("c", b"3")], ["`d` cannot be read"]

        index.replace(read)

    assert (seen, index.texts(), index.unreadable()) == (["locked"], (b"3",), ("`d` cannot be read",))


def test_C39_two_processes_that_write_it_at_once_lose_nothing(path: Path, tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(receipts), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(SRC)},
        )
        for name in ("one", "two", "three")
    ]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in writers:
        one.communicate()
        assert one.returncode == 0

    expected = tuple(sorted(one.read_bytes() for one in receipts.iterdir()))
    assert len(expected) == 90
    assert LibraryIndex(path).texts() == expected
