"""The schema of `data/thorp.db`, step by step. A released step never changes, not by a blank."""

from typing import Final

from thorp.store.migrations import Migration

_CREDENTIALS: Final = """
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
  scopes TEXT NOT NULL, -- words with a space between them
  created REAL NOT NULL,
  models TEXT NOT NULL, -- a JSON array; empty: every model
  rpm INTEGER,
  expires REAL,
  revoked REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
  created REAL NOT NULL,
  expires REAL NOT NULL,
  ended REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE claim (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  session TEXT NOT NULL, -- the login that won
  claimed REAL NOT NULL
) STRICT;
"""

_DESCENT: Final = "ALTER TABLE api_keys ADD COLUMN made_by TEXT"  # the key that made it; null: the owner did

NODE_MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(1, "keys, sessions and the claim", _CREDENTIALS),
    Migration(2, "which key made a key", _DESCENT),
)
