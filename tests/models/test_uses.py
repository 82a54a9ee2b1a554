"""Who uses an artifact, across processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from thorp.base.files import FileFaultError
from thorp.models.uses import GoneError, InUseError, filing, is_used, last_used, sole, using
from thorp.testing.library import a_library, an_artifact

HOLDER = """
import sys
from pathlib import Path
from thorp.models.uses import sole, using
with (using(Path(sys.argv[2])) if sys.argv[1] == "using" else sole(Path(sys.argv[2]), "it")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    library = a_library(tmp_path)
    return library.path(an_artifact(library))


@contextmanager
def another_process(how: str, receipt: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, how, str(receipt)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_C40_what_another_process_uses_is_not_taken_away(receipt: Path) -> None:
    with (
        another_process("using", receipt),
        pytest.raises(InUseError, match=r"`it` is in use.*Stop what uses it") as refused,
        sole(receipt, "it"),
    ):
        pass

    assert (refused.value.code, refused.value.exit_code) == ("models.in_use", 8)


def test_C40_a_killed_user_uses_nothing_any_more(receipt: Path) -> None:
    with another_process("using", receipt) as process:
        assert is_used(receipt)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert not is_used(receipt)
    with sole(receipt, "it"):
        assert is_used(receipt)


def test_C40_what_is_being_removed_cannot_be_used(receipt: Path) -> None:
    with another_process("sole", receipt), pytest.raises(InUseError, match="being removed"), using(receipt):
        pass


def test_many_use_it_at_once(receipt: Path) -> None:
    with another_process("using", receipt), using(receipt), using(receipt):
        pass


def test_using_it_is_remembered_and_looking_after_it_is_not(receipt: Path) -> None:
    assert last_used(receipt) is None
    with using(receipt, touching=False):
        assert last_used(receipt) is None

    with using(receipt):
        used = last_used(receipt)

    assert used is not None
    with sole(receipt, "it"):
        assert last_used(receipt) == used


def test_what_is_gone_cannot_be_used_and_leaves_nothing(receipt: Path) -> None:
    receipt.unlink()
    with pytest.raises(GoneError), using(receipt):
        pass

    for one in receipt.parent.iterdir():
        one.unlink()
    receipt.parent.rmdir()
    with pytest.raises(GoneError), using(receipt):
        pass
    with pytest.raises(GoneError), sole(receipt, "it"):
        pass
    assert not receipt.parent.exists()


def test_a_link_in_place_of_the_lock_is_not_followed(receipt: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    receipt.with_name("lock").unlink(missing_ok=True)
    receipt.with_name("lock").symlink_to(tmp_path / "mine")

    with pytest.raises(FileFaultError, match="lock"), using(receipt):
        pass

    assert last_used(receipt) is None
    assert not is_used(receipt)


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(receipt: Path) -> None:
    with sole(receipt, "it"):
        receipt.with_name("lock").unlink()
        with using(receipt):  # another file under the same name, so another lock
            assert is_used(receipt)


def test_filing_nothing_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "models--a--b"
    with filing(folder):
        assert folder.is_dir()
    assert not folder.exists()

    with filing(folder):
        (folder / "blobs").mkdir()
    assert folder.exists()


def test_a_folder_that_was_cleared_away_is_made_again_for_filing(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "models--a--b"
    with filing(folder):
        folder.rmdir()
        with filing(folder):
            assert folder.is_dir()
