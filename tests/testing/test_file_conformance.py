"""One suite, every driver of the file port."""

from collections.abc import Callable
from pathlib import Path

import pytest

from thorp.base.files import DiskFiles, FilePort
from thorp.testing.faults import FaultyFiles
from thorp.testing.file_conformance import EVERY_CHECK, ConformanceError, create_never_opens_what_exists

Check = Callable[[FilePort, Path], None]
every_check = pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.__name__)


@every_check
def test_the_real_disk_keeps_the_promises_of_the_port(check: Check, tmp_path: Path) -> None:
    check(DiskFiles(), tmp_path)


@every_check
def test_the_faulty_disk_without_a_fault_keeps_them_too(check: Check) -> None:
    check(FaultyFiles(), Path("/"))


def test_a_driver_that_overwrites_is_caught() -> None:
    class Careless(FaultyFiles):
        def create(self, path: Path, mode: int) -> int:
            if self.facts(path):
                self.unlink(path)
            return super().create(path, mode)

    with pytest.raises(ConformanceError, match="create refuses a taken name"):
        create_never_opens_what_exists(Careless(), Path("/"))
