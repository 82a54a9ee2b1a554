import asyncio
import errno
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.conftest import ROWS
from thorp.base.files import DiskFiles, DiskFullError, FileMissingError, FileRefusedError
from thorp.store.database import Database, use_wal
from thorp.store.failures import DamagedDatabaseError, DatabaseClosedError, DatabaseLockedError
from thorp.store.migrations import Migration, NewerDatabaseError, SchemaHistoryError
from thorp.testing.clock import FakeClock

MORE = Migration(2, "more", "ALTER TABLE rows ADD COLUMN more TEXT")
BROKEN = Migration(2, "broken", "CREATE TABLE half (x) STRICT")  # a STRICT column needs a type


def made(path: Path, *migrations: Migration) -> Database:
    return Database(path, migrations or ROWS, FakeClock())


def add(database: Database, *words: str) -> None:
    async def scene() -> None:
        for word in words:
            await database.write(lambda c, word=word: c.execute("INSERT INTO rows (word) VALUES (?)", (word,)).rowcount)

    asyncio.run(scene())


def words(database: Database) -> list[str]:
    with database.read() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM rows ORDER BY id")]


def as_after_a_kill(database: Database, folder: Path) -> Path:
    """The files of an open database, as a process that dies now would leave them."""
    folder.mkdir()
    for file in database.path.parent.glob(f"{database.path.name}*"):
        shutil.copy(file, folder)
    return folder / database.path.name


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}


def test_a_new_database_has_no_past(path: Path) -> None:
    database = made(path)
    assert database.stopped_cleanly is None
    database.open()
    assert database.stopped_cleanly is None
    database.close()


def test_a_clean_stop_leaves_one_file_and_is_known_the_next_time(path: Path) -> None:
    database = made(path)
    database.open()
    add(database, "kept")
    database.close()
    assert list(path.parent.iterdir()) == [path]
    database.open()
    assert database.stopped_cleanly is True
    assert words(database) == ["kept"]
    database.close()
    database.close()


def test_everything_beside_the_database_is_private(database: Database) -> None:
    add(database, "secret")
    modes = {file.name: file.stat().st_mode & 0o777 for file in database.path.parent.iterdir()}
    assert modes == dict.fromkeys(["test.db", "test.db-wal", "test.db-shm", "test.db.open"], 0o600)


def test_an_unclean_stop_is_noticed_checked_and_survived(database: Database, tmp_path: Path) -> None:
    add(database, "acknowledged")
    again = made(as_after_a_kill(database, tmp_path / "after"))
    again.open()
    assert again.stopped_cleanly is False
    assert words(again) == ["acknowledged"]
    again.close()
    again.open()
    assert again.stopped_cleanly is True
    again.close()


def test_a_damaged_database_is_refused_after_an_unclean_stop_and_left_alone(database: Database, tmp_path: Path) -> None:
    add(database, *(f"{number:0100}" for number in range(500)))
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint")
    add(database, "only in the WAL")
    after = as_after_a_kill(database, tmp_path / "after")
    with after.open("r+b") as file:
        file.seek(20 * 4096)  # rows only; nothing but the check looks there
        file.write(b"\xff" * 8192)
    before = contents(after.parent)
    assert before["test.db-wal"]

    remedy = r"after/test\.db` is damaged: .*It was left as it is.*restore a backup"
    with pytest.raises(DamagedDatabaseError, match=remedy):
        made(after).open()
    assert contents(after.parent) == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is a letter to my aunt" * 1000)
    before = contents(path.parent)
    with pytest.raises(DamagedDatabaseError, match="file is not a database"):
        made(path).open()
    assert contents(path.parent) == before


def test_C45_an_older_database_is_migrated_when_it_is_opened(path: Path) -> None:
    older, newer = made(path), made(path, *ROWS, MORE)
    older.open()
    add(older, "old")
    older.close()
    newer.open()
    with newer.read() as connection:
        assert connection.execute("SELECT word, more FROM rows").fetchall() == [("old", None)]
    newer.close()


def test_C45_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    newer, older = made(path, *ROWS, MORE), made(path)
    newer.open()
    newer.close()
    before = contents(path.parent)
    with pytest.raises(NewerDatabaseError, match="has schema 2, this Thorp knows 1"):
        older.open()
    assert contents(path.parent) == before


def test_C45_a_half_done_migration_is_taken_back_and_resumed(path: Path) -> None:
    old, broken, mended = made(path), made(path, *ROWS, BROKEN), made(path, *ROWS, MORE)
    old.open()
    add(old, "old")
    old.close()
    with pytest.raises(sqlite3.OperationalError, match="missing datatype"):
        broken.open()
    with pytest.raises(DatabaseClosedError):
        words(broken)
    assert not path.with_name("test.db.open").exists()
    mended.open()
    assert mended.stopped_cleanly is True
    assert words(mended) == ["old"]
    mended.close()


def test_an_edited_migration_is_refused(path: Path) -> None:
    database = made(path)
    database.open()
    database.close()
    with pytest.raises(SchemaHistoryError, match="other content"):
        made(path, replace(ROWS[0], sql=ROWS[0].sql.replace("word", "term"))).open()


def test_what_died_in_its_first_moments_is_settled(path: Path, tmp_path: Path) -> None:
    """A rollback journal exists only before the database is in WAL mode; a read-only look would stumble over it."""
    database = made(path)
    database.open()
    kept = [f"{number:0200}" for number in range(200)]
    add(database, *kept)
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 1")  # so that half of the change is in the file already
        connection.execute("BEGIN")
        connection.execute("UPDATE rows SET word = word || word || word")
        after = as_after_a_kill(database, tmp_path / "after")
    assert after.with_name("test.db-journal").stat().st_size > 0
    after.with_name("test.db.open").touch()

    again = made(after)
    again.open()
    assert again.stopped_cleanly is False
    assert words(again) == kept
    assert again.check() == ()
    again.close()


def test_a_database_that_another_program_holds_says_so(database: Database) -> None:
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert database._connection
        database._connection.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(DatabaseLockedError, match=r"keeps .* locked"):
            add(database, "a")
        other.execute("ROLLBACK")
    add(database, "b")
    assert words(database) == ["b"]


def test_C38_a_disk_that_cannot_do_wal_is_refused_with_the_reason(path: Path) -> None:
    in_memory = sqlite3.connect(":memory:")  # which cannot either
    with closing(in_memory), pytest.raises(FileRefusedError, match="local disk"):
        use_wal(in_memory, path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError, match="absent"):
        made(tmp_path / "absent" / "test.db").open()


def test_C37_a_disk_without_room_for_the_marker_changes_nothing(path: Path) -> None:
    class Full(DiskFiles):
        def create(self, path: Path, mode: int) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{path} {mode}")

    with pytest.raises(DiskFullError, match=r"test\.db.*Free some space"):
        Database(path, ROWS, FakeClock(), Full()).open()
    assert list(path.parent.iterdir()) == []


def test_a_sound_database_has_nothing_to_complain_about(database: Database) -> None:
    add(database, "a")
    assert database.check() == ()


def test_a_backup_is_one_private_file_that_opens_by_itself(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "thorp.bak"
    target.parent.mkdir()
    target.write_text("an older backup")
    add(database, "a", "b")
    database.backup(target)
    add(database, "later")

    assert [file.name for file in target.parent.iterdir()] == [target.name]
    assert target.stat().st_mode & 0o777 == 0o600
    copy = made(target)
    copy.open()
    assert copy.stopped_cleanly is True
    assert words(copy) == ["a", "b"]
    assert copy.check() == ()
    copy.close()


def test_writing_goes_on_during_a_backup(database: Database, tmp_path: Path) -> None:
    async def scene() -> None:
        insert = "INSERT INTO rows (word) VALUES (?)"
        numbers = range(200)
        writes = (database.write(lambda c, n=n: c.execute(insert, (f"{n:0200}",)).rowcount) for n in numbers)
        await asyncio.gather(asyncio.to_thread(database.backup, target), *writes)

    target = tmp_path / "thorp.bak"
    asyncio.run(scene())
    copy = made(target)
    copy.open()
    kept = words(copy)
    assert kept == [f"{number:0200}" for number in range(len(kept))]
    assert copy.check() == ()
    copy.close()
    assert len(words(database)) == 200


def test_a_backup_that_fails_leaves_the_one_before(database: Database, tmp_path: Path) -> None:
    class Failing(DiskFiles):
        def rename(self, old: Path, new: Path) -> None:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), f"{old} {new}")

    target = tmp_path / "backups" / "thorp.bak"
    target.parent.mkdir()
    target.write_text("an older backup")
    database._files = Failing()
    with pytest.raises(FileRefusedError, match=r"thorp\.bak"):
        database.backup(target)
    assert [file.read_text() for file in target.parent.iterdir()] == ["an older backup"]
