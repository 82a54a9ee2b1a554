"""One file into the models folder: proven whatever way it came, shared where it can be, and never twice at once."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from tests.models.pulling import FILE, MIB, QUICK, REPO, a_home, a_model
from thorp.models.fetching import TransferEndedError
from thorp.models.files_in import WrongBytesError, held_for_hub
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of
from thorp.models.library import Library
from thorp.models.partial import Partial
from thorp.models.pull import Standing
from thorp.models.types import SourceKind
from thorp.testing.hub import FakeHub, Fault, FaultKind
from thorp.testing.library import NO_LINKS, a_library, git_name
from thorp.testing.sources import FakeSource

SIZE = 17 * MIB
OTHER = "other/Tiny-1B-GGUF"
HOLDER = """
import sys
from pathlib import Path
from thorp.models.partial import BLOCK, Partial
folder, model, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
partial = Partial.held(folder, size)
partial.open()
partial.write(memoryview(model.read_bytes())[: 6 * BLOCK], 0)
partial.blocks.mark(0, 6 * BLOCK)
partial.note()
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_model(tmp_path_factory.mktemp("made"), SIZE)


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    with FakeHub() as one:
        one.add(REPO, {FILE: model, "README.md": b"x"}, license="mit")
        yield one


def sha_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def nothing_installed(library: Library) -> bool:
    return (
        not library.receipts()
        and not list(library.layout.repo(REPO).glob("blobs/*"))
        and not list(library.layout.repo(REPO).glob("snapshots/*/*"))
    )


def test_C32_wrong_bytes_twice_install_nothing_and_are_set_aside(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    hub.faults.add(Fault(FaultKind.WRONG_BYTES, at=5 * MIB, length=3, times=None))
    with a_home(tmp_path, hub.url) as home:
        with pytest.raises(WrongBytesError) as failed:
            home.pull()

        assert (failed.value.code, failed.value.exit_code) == ("models.wrong_bytes", 6)
        assert nothing_installed(home.library)
        assert home.own() == ["quarantine", f"quarantine/{sha_of(model)}", f"quarantine/{sha_of(model)}/data"]
        assert hub.bytes_sent(FILE) == 2 * SIZE
        hub.faults.clear()
        assert home.pull().files[0].sha256 == sha_of(model)
        assert home.blobs() == [sha_of(model)]


def test_C32_wrong_bytes_once_are_fetched_again_from_another_source(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    wrong = bytearray(model.read_bytes())
    wrong[7 * MIB] ^= 1
    liar = FakeSource(bytes(wrong), SourceKind.LAN, "neighbour")
    with a_home(tmp_path, hub.url, sources=lambda real: (liar, real)) as home:
        receipt = home.pull()

    assert sha_of(home.blob(receipt.files[0].sha256)) == sha_of(model) == receipt.files[0].sha256
    assert liar.bytes_given == SIZE
    assert hub.bytes_sent(FILE) == SIZE
    assert receipt.source.kind is SourceKind.HUB


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.WRONG_BYTES, at=5 * MIB),
        Fault(FaultKind.WRONG_LENGTH, length=-5),
        Fault(FaultKind.WRONG_LENGTH, length=5),
        Fault(FaultKind.MORE_BYTES, length=5),
        Fault(FaultKind.NO_LENGTH),
        Fault(FaultKind.NO_LENGTH, value="close"),
        Fault(FaultKind.WRONG_RANGE),
        Fault(FaultKind.IGNORE_RANGE),
        Fault(FaultKind.CUT, at=9 * MIB + 5),
        Fault(FaultKind.CUT, after=100, reset=True),
        Fault(FaultKind.GZIP),
        Fault(FaultKind.LOGIN_PAGE, path=FILE),
        Fault(FaultKind.DROP, path=FILE, times=3),
        Fault(FaultKind.SERVER_ERROR, path=FILE, status=500, times=3),
        Fault(FaultKind.SERVER_ERROR, path=FILE, status=503, value="0"),
        Fault(FaultKind.RATE_LIMITED, path=FILE, value="0"),
        Fault(FaultKind.STALL, after=3 * MIB),
    ],
    ids=lambda one: f"{one.kind.value}{one.value}{one.length}",
)
def test_B26_B27_B29_B30_whatever_a_hub_does_once_the_right_bytes_arrive(
    tmp_path: Path, hub: FakeHub, model: Path, fault: Fault
) -> None:
    with a_home(tmp_path, hub.url, idle_timeout=0.3) as home:
        plan = home.plan()
        hub.faults.add(fault)
        receipt = home.pull(plan)

        assert hub.faults.left == ()
        assert sha_of(home.blob(receipt.files[0].sha256)) == sha_of(model)
        assert home.own() == ([] if fault.kind is not FaultKind.WRONG_BYTES else home.own())


def test_a_file_that_huggingface_hub_fetched_is_adopted_without_a_byte(
    tmp_path: Path, hub: FakeHub, model: Path
) -> None:
    with a_home(tmp_path, hub.url) as home:
        home.fetched_by_hf()
        before = home.seen_by_hf().stat().st_ino
        assert home.library.layout.hub_lock(REPO, digest_of(sha_of(model))).exists(), "its lock has the name we take"
        hub.forget()
        receipt = home.pull()

        assert hub.bytes_sent(FILE) == 0
        assert receipt.files[0].sha256 == sha_of(model)
        assert home.seen_by_hf().stat().st_ino == before
        assert len(home.library.pieces(receipt, sha_of(model)) or b"") == 2 * 20


def test_C42_a_damaged_file_of_huggingface_hub_is_set_aside_and_fetched(
    tmp_path: Path, hub: FakeHub, model: Path
) -> None:
    with a_home(tmp_path, hub.url) as home:
        at = home.fetched_by_hf()
        with at.open("r+b") as file:
            file.seek(100)
            file.write(b"damage")
        damaged = sha_of(at)
        hub.forget()
        home.pull()

        assert sha_of(home.seen_by_hf()) == sha_of(model)
        aside = home.library.layout.quarantine(REPO, digest_of(sha_of(model))) / "data"
        assert sha_of(aside) == damaged
        assert hub.bytes_sent(FILE) == SIZE


def test_a_truncated_file_of_huggingface_hub_is_replaced(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    with a_home(tmp_path, hub.url) as home:
        at = home.fetched_by_hf()
        with at.open("r+b") as file:
            file.truncate(1000)
        home.pull()

        assert sha_of(home.seen_by_hf()) == sha_of(model)


def test_the_same_file_in_another_repository_is_shared(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    hub.add(OTHER, {FILE: model})
    with a_home(tmp_path, hub.url) as home:
        first = home.pull()
        hub.forget()
        second = home.pull(home.plan(OTHER))

        blobs = [home.blob(sha_of(model), one).stat() for one in (REPO, OTHER)]
        assert hub.bytes_sent(FILE) == 0
        assert first.files == second.files
        assert blobs[0].st_ino == blobs[1].st_ino or blobs[0].st_blocks
        assert not any("copied" in one.note for one in home.told)


def test_C38_a_disk_that_cannot_share_copies_and_says_so(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    hub.add(OTHER, {FILE: model})
    with a_home(tmp_path, hub.url, links=NO_LINKS) as home:
        home.pull()
        hub.forget()
        home.pull(home.plan(OTHER))

        assert hub.bytes_sent(FILE) == 0
        assert f"`{FILE}` is here in {REPO}, too; this disk cannot share it, so it was copied." in {
            one.note for one in home.told
        }
        paths = {home.seen_by_hf(repo) for repo in (REPO, OTHER)}
        assert {sha_of(one) for one in paths} == {sha_of(model)}
        assert len({one.stat().st_ino for one in paths}) == 2


def test_C42_a_damaged_twin_is_not_shared(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    hub.add(OTHER, {FILE: model})
    with a_home(tmp_path, hub.url) as home:
        home.pull()
        with home.blob(sha_of(model)).open("r+b") as file:
            file.write(b"damage")
        hub.forget()
        home.pull(home.plan(OTHER))

        assert sha_of(home.blob(sha_of(model), OTHER)) == sha_of(model)
        assert hub.bytes_sent(FILE) == SIZE


def test_C39_the_bytes_of_a_process_that_dies_are_followed_and_then_taken_over(
    tmp_path: Path, hub: FakeHub, model: Path
) -> None:
    with a_home(tmp_path, hub.url) as home:
        folder = home.library.layout.partial(REPO, digest_of(sha_of(model)))
        command = [sys.executable, "-c", HOLDER, str(folder), str(model), str(SIZE)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "holds\n"

            def told(standing: Standing) -> None:
                home.told.append(standing)
                if standing.note == "another process on this machine brings it":
                    assert hub.bytes_sent(FILE) == 0
                    other.kill()

            receipt = home.puller.pull(home.plan(), QUICK, told, threading.Event())

        followed = [one.done for one in home.told if one.note.startswith("another process")]
        assert set(followed) == {6 * MIB}
        assert sha_of(home.blob(receipt.files[0].sha256)) == sha_of(model)
        assert hub.bytes_sent(FILE) == SIZE - 6 * MIB
        assert home.own() == []


def test_C39_two_pulls_of_one_artifact_share_one_transfer(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    hub.faults.add(Fault(FaultKind.SLOW, rate=20 * MIB, times=None))
    receipts = []

    def work() -> None:
        with a_home(tmp_path, hub.url) as home:
            receipts.append(home.pull())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len({one.files for one in receipts}) == 1
    assert len(receipts) == 3
    assert hub.bytes_sent(FILE) == SIZE


def test_a_file_that_huggingface_hub_is_fetching_is_left_to_it(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    with a_home(tmp_path, hub.url) as home:
        lock = FileLock(home.library.layout.hub_lock(REPO, digest_of(sha_of(model))))
        Path(lock.lock_file).parent.mkdir(parents=True)
        lock.acquire()

        def told(standing: Standing) -> None:
            if lock.is_locked and standing.note.startswith("another process"):
                assert hub.bytes_sent(FILE) == 0
                lock.release()

        home.puller.pull(home.plan(), QUICK, told, threading.Event())

        assert not lock.is_locked
        assert hub.bytes_sent(FILE) == SIZE


def test_huggingface_hub_waits_while_we_fetch(tmp_path: Path) -> None:
    at = tmp_path / "locks" / "x.lock"

    with held_for_hub(at) as free, held_for_hub(at) as again:
        assert (free, again) == (True, False)
        assert not FileLock(at, timeout=0).is_locked
        with pytest.raises(TimeoutError):
            FileLock(at, timeout=0).acquire()
    with FileLock(at, timeout=0), held_for_hub(at) as free:
        assert not free


def test_a_stop_ends_the_wait_for_another_process(tmp_path: Path, hub: FakeHub, model: Path) -> None:
    stop = threading.Event()
    with a_home(tmp_path, hub.url) as home:
        held = Partial.held(home.library.layout.partial(REPO, digest_of(sha_of(model))), SIZE)
        assert held is not None
        with pytest.raises(TransferEndedError):
            home.puller.pull(home.plan(), QUICK, lambda _standing: stop.set(), stop)
        held.release()


def test_a_stop_ends_the_reading_of_what_is_here(tmp_path: Path, hub: FakeHub) -> None:
    stop = threading.Event()
    with a_home(tmp_path, hub.url) as home:
        home.fetched_by_hf()
        with pytest.raises(HashingEndedError):
            home.puller.pull(home.plan(), QUICK, lambda _standing: stop.set(), stop)
        assert home.seen_by_hf().exists()
        assert home.library.receipts() == ()


def test_a_hub_that_never_answers_leaves_no_empty_partial(tmp_path: Path, hub: FakeHub) -> None:
    with a_home(tmp_path, hub.url) as home:
        plan = home.plan()
        hub.faults.add(Fault(FaultKind.DROP, times=None))
        with pytest.raises(Exception, match="hub"):
            home.pull(plan, pace=replace(QUICK, pauses=(0.001,)))
        assert home.own() == []


def test_a_small_file_is_proven_by_the_hash_git_gave_it(tmp_path: Path, hub: FakeHub) -> None:
    small = a_model(tmp_path / "made", 300_000, name="small.gguf").read_bytes()
    hub.add(REPO, {FILE: small}, lfs_above=1 << 30)
    with a_home(tmp_path, hub.url) as home:
        receipt = home.pull()
        assert home.blobs() == [git_name(small)]
        assert receipt.files[0].sha256 == hashlib.sha256(small).hexdigest()

        hub.faults.add(Fault(FaultKind.WRONG_BYTES, after=0, times=None))
        with a_home(tmp_path / "b", hub.url) as other, pytest.raises(WrongBytesError):
            other.pull()


def test_a_home_opened_again_is_the_same(tmp_path: Path, hub: FakeHub) -> None:
    with a_home(tmp_path, hub.url) as home:
        receipt = home.pull()

    assert a_library(tmp_path).receipts() == (receipt,)
