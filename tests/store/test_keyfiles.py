from contextlib import suppress
from pathlib import Path

import pytest

from thorp.base.errors import ThorpError
from thorp.base.files import DISK, FileMissingError, remove_unfinished
from thorp.store.keyfiles import KeyFileError, keep_secret, kept_secret, load_node_key, node_key, node_seed
from thorp.testing.clock import FakeRandomness
from thorp.testing.faults import FaultKind, FaultyFiles, PowerCutError, Survivors, every_fault
from thorp.testing.file_conformance import put

KEYS = Path("/keys")
KEY = KEYS / "node.key"


def made() -> FaultyFiles:
    files = FaultyFiles()
    node_key(files, KEYS, FakeRandomness())
    return files


def test_the_key_is_made_once_and_stays() -> None:
    files = made()
    first = load_node_key(files, KEYS)
    files.crash()
    assert node_key(files, KEYS, FakeRandomness(seed=1)).node_id == first.node_id
    assert len(files.read(KEY, 100)) == 32


def test_nobody_else_can_read_what_was_made(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    node_key(DISK, keys, FakeRandomness())
    assert keys.stat().st_mode & 0o7777 == 0o700
    assert (keys / "node.key").stat().st_mode & 0o7777 == 0o600
    assert DISK.list_folder(keys) == ("node.key",)


def test_loading_does_not_make_a_key() -> None:
    files = FaultyFiles()
    with pytest.raises(FileMissingError, match=r"node\.key"):
        load_node_key(files, KEYS)
    assert files.list_folder(Path("/")) == ()


@pytest.mark.parametrize("survivors", Survivors)
@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.LOST_SYNC])
def test_whatever_fails_there_is_one_whole_key_or_none(kind: FaultKind, survivors: Survivors) -> None:
    for files in every_fault([kind]):
        files.arm()
        promised = None
        with suppress(ThorpError, PowerCutError):
            promised = node_key(files, KEYS, FakeRandomness()).node_id
        files.crash(survivors)

        again = node_key(files, KEYS, FakeRandomness(seed=1)).node_id
        assert promised in (None, again), files.fault
        remove_unfinished(files, KEYS)
        assert files.list_folder(KEYS) == ("node.key",)


def test_another_process_that_makes_the_key_first_wins() -> None:
    class Raced(FaultyFiles):
        def link(self, old: Path, new: Path) -> None:
            if new == KEY:
                put(self, KEY, bytes(32))
            super().link(old, new)

    files, quiet = Raced(), FaultyFiles()
    quiet.make_folder(KEYS, 0o700)
    put(quiet, KEY, bytes(32))
    assert node_key(files, KEYS, FakeRandomness()).node_id == load_node_key(quiet, KEYS).node_id
    assert files.read(KEY, 100) == bytes(32)


@pytest.mark.parametrize(
    ("path", "mode", "remedy"),
    [(KEY, 0o640, "chmod 600 /keys/node.key"), (KEY, 0o604, "chmod 600"), (KEYS, 0o755, "chmod 700 /keys")],
)
def test_a_key_that_others_can_read_is_refused(path: Path, mode: int, remedy: str) -> None:
    files = made()
    files.set_mode(path, mode)
    with pytest.raises(KeyFileError, match=remedy):
        node_key(files, KEYS, FakeRandomness())


@pytest.mark.parametrize("path", [KEY, KEYS])
def test_a_key_of_somebody_else_is_refused(path: Path) -> None:
    files = made()
    files.give_away(path)
    with pytest.raises(KeyFileError, match="belongs to another user"):
        node_key(files, KEYS, FakeRandomness())


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 4096])
def test_a_key_of_the_wrong_length_is_refused_and_left_alone(content: bytes) -> None:
    files = made()
    files.damage(KEY, content)
    with pytest.raises(KeyFileError, match="left as it is"):
        node_key(files, KEYS, FakeRandomness())
    assert files.read(KEY, 5000) == content


@pytest.mark.parametrize("target", ["elsewhere.key", "nowhere"])
def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere.key").write_bytes(bytes(32))
    keys = tmp_path / "keys"
    keys.mkdir(0o700)
    (keys / "node.key").symlink_to(tmp_path / target)
    with pytest.raises(KeyFileError, match="is not a plain file"):
        node_key(DISK, keys, FakeRandomness())


def test_no_key_is_made_in_a_folder_that_others_can_enter() -> None:
    files = FaultyFiles()
    files.make_folder(KEYS, 0o755)
    with pytest.raises(KeyFileError, match="chmod 700"):
        node_key(files, KEYS, FakeRandomness())
    assert files.list_folder(KEYS) == ()


def test_a_file_in_place_of_the_folder_is_refused() -> None:
    files = FaultyFiles()
    put(files, KEYS, b"")
    with pytest.raises(KeyFileError, match="is not a plain folder"):
        node_key(files, KEYS, FakeRandomness())


def test_a_secret_is_kept_beside_the_key_and_may_be_exchanged() -> None:
    files = made()
    assert kept_secret(files, KEYS, "lan.secret") is None
    for content in (b"first", b"second"):
        keep_secret(files, KEYS, "lan.secret", content)
        files.crash()
        assert kept_secret(files, KEYS, "lan.secret") == content


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    node_key(DISK, keys, FakeRandomness())
    keep_secret(DISK, keys, "lan.secret", b"x")
    assert (keys / "lan.secret").stat().st_mode & 0o7777 == 0o600
    (keys / "lan.secret").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        kept_secret(DISK, keys, "lan.secret")


def test_the_seed_is_what_the_key_is_made_of() -> None:
    files = made()
    assert node_seed(files, KEYS) == files.read(KEY, 100)
