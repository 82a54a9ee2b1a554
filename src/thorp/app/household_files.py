"""Where a home keeps its household: the roster among the data, the secret among the keys, the numbers of packets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from thorp.app.paths import Paths
from thorp.base.errors import IntegrityError, ThorpError
from thorp.base.files import DISK, facts_of, read_bounded, write_atomically
from thorp.identity.ids import NodeId, parse_node_id
from thorp.mesh.types import Kept
from thorp.store.keyfiles import keep_secret, kept_secret
from thorp.wire.announce import SECRET_BYTES, LanKey
from thorp.wire.canonical import LARGEST_WHOLE_NUMBER
from thorp.wire.household import LARGEST_EPOCH, SignedRoster

BESIDE_THE_KEY: Final = "lan.secret"
LARGEST: Final = 1024 * 1024
EPOCH_BYTES: Final = 4


class BadHouseholdError(IntegrityError):
    """What this home keeps about its household cannot be read, or only half of it is there."""

    code = "household.bad_files"


class HouseholdFiles:
    """Satisfies `HouseholdShelf`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def load(self) -> Kept | None:
        at, secret = self._paths.household, kept_secret(DISK, self._paths.keys, BESIDE_THE_KEY)
        if facts_of(DISK, at) is None:
            return None  # a secret alone is what a crash left of founding one
        try:
            signed = SignedRoster.model_validate_json(read_bounded(DISK, at, LARGEST))
        except ValidationError:
            raise _bad(at, "is no roster") from None
        if secret is None:
            raise _bad(self._paths.keys / BESIDE_THE_KEY, "is missing")
        epoch = int.from_bytes(secret[:EPOCH_BYTES], "big")
        if len(secret) != EPOCH_BYTES + SECRET_BYTES or not 1 <= epoch <= LARGEST_EPOCH:
            raise _bad(self._paths.keys / BESIDE_THE_KEY, "is no secret of a household")
        return Kept(signed, LanKey(epoch, secret[EPOCH_BYTES:]))

    def save(self, kept: Kept) -> None:
        first = facts_of(DISK, self._paths.household) is None
        content = kept.lan.epoch.to_bytes(EPOCH_BYTES, "big") + kept.lan.secret
        if first:  # so that a roster never stands there without a secret
            keep_secret(DISK, self._paths.keys, BESIDE_THE_KEY, content)
        write_atomically(DISK, self._paths.household, kept.signed.model_dump_json().encode())
        if not first:
            keep_secret(DISK, self._paths.keys, BESIDE_THE_KEY, content)


class SeqFile:
    """Satisfies `SeqShelf`. A file that cannot be read is as good as none: numbers begin anew with the clock."""

    def __init__(self, at: Path) -> None:
        self._at = at

    def load(self) -> Mapping[NodeId, int]:
        if facts_of(DISK, self._at) is None:
            return {}
        try:
            found: object = json.loads(read_bounded(DISK, self._at, LARGEST))
        except (ValueError, RecursionError):
            return {}
        return dict(_numbers(cast("dict[str, Any]", found))) if isinstance(found, dict) else {}

    def save(self, seqs: Mapping[NodeId, int]) -> None:
        write_atomically(DISK, self._at, json.dumps(dict(seqs)).encode())


def _numbers(found: Mapping[str, Any]) -> list[tuple[NodeId, int]]:
    read: list[tuple[NodeId, int]] = []
    for node, seq in found.items():
        try:
            named = parse_node_id(node)
        except ThorpError:
            continue
        if type(seq) is int and 0 < seq <= LARGEST_WHOLE_NUMBER:
            read.append((named, seq))
    return read


def _bad(at: Path, why: str) -> BadHouseholdError:
    return BadHouseholdError(
        f"`{at}` {why}, so this node does not know its household. Restore it from a backup; or move it and what "
        "belongs to it aside, and join again.",
        path=str(at),
    )
