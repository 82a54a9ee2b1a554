"""Forward-only changes of a schema, each applied whole in its own transaction and remembered with its checksum.

A database with a past that this program does not know is refused, untouched.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import ConflictError, IntegrityError

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied REAL NOT NULL
) STRICT
"""


class SchemaHistoryError(IntegrityError):
    """The recorded migrations are not the ones this program knows."""

    code = "store.schema_history"


class NewerDatabaseError(ConflictError):
    """The database was written by a newer Thorp."""

    code = "store.newer_database"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema. Once released it never changes; a mistake is mended by the next one."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """What the database remembers of a migration."""

    number: int
    checksum: str


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration], clock: Clock, path: Path) -> int:
    """Bring the schema up to date and answer with its number. The connection must be in autocommit mode."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Read again under the lock: another process may have migrated meanwhile.
            waiting = pending(history(connection, path), migrations, path)
            if waiting:
                _apply(connection, waiting[0], clock)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if not waiting:
            return len(migrations)


def history(connection: sqlite3.Connection, path: Path) -> tuple[Applied, ...]:
    """The recorded migrations in order; none for an empty database."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return ()
    if "migrations" not in tables:
        raise SchemaHistoryError(
            f"`{path}` is a database, but not one of Thorp's; it was not touched. Move it aside.", path=str(path)
        )
    rows = connection.execute("SELECT number, checksum FROM migrations ORDER BY number")
    return tuple(Applied(number, checksum) for number, checksum in rows)


def pending(applied: Sequence[Applied], migrations: Sequence[Migration], path: Path) -> tuple[Migration, ...]:
    """The migrations that are still to come; refuses a past that does not fit."""
    if gap := _first_gap(migrations):
        raise SchemaHistoryError(f"This Thorp lacks its own migration {gap}. Install it again.")
    if applied and (newest := applied[-1].number) > len(migrations):
        raise NewerDatabaseError(
            f"`{path}` has schema {newest}, this Thorp knows {len(migrations)}; nothing was touched. "
            "Use the newer Thorp again, or restore a backup made by this one.",
            path=str(path),
        )
    if gap := _first_gap(applied):
        raise SchemaHistoryError(_does_not_fit(path, f"migration {gap} was never applied, later ones were"))
    for old, known in zip(applied, migrations, strict=False):
        if old.checksum != known.checksum:
            reason = f"migration {known.number} ({known.name}) was applied with other content"
            raise SchemaHistoryError(_does_not_fit(path, reason))
    return tuple(migrations[len(applied) :])


def _first_gap(steps: Sequence[Migration | Applied]) -> int | None:
    """The first number missing from 1, 2, 3 and so on."""
    return next((number for number, step in enumerate(steps, start=1) if step.number != number), None)


def _does_not_fit(path: Path, reason: str) -> str:
    return (
        f"The schema of `{path}` does not fit this Thorp: {reason}. Nothing was touched. "
        "Install the release that wrote it, or restore a backup."
    )


def _apply(connection: sqlite3.Connection, migration: Migration, clock: Clock) -> None:
    for statement in statements(migration.sql):
        connection.execute(statement)
    connection.execute(_TABLE)
    connection.execute(
        "INSERT INTO migrations (number, name, checksum, applied) VALUES (?, ?, ?, ?)",
        (migration.number, migration.name, migration.checksum, clock.wall()),
    )


def statements(sql: str) -> Iterator[str]:
    """The single statements of a script. `executescript` would commit the transaction this runs in."""
    statement = ""
    for piece in f"{sql}\n;".split(";")[:-1]:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""
    if statement:
        raise ValueError(f"a migration ends in the middle of a statement: {statement[:80]!r}")
