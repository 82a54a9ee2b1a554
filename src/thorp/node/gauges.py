"""Reads memory and disk of this machine. What cannot be read is unknown."""

import os
import shutil
from pathlib import Path

from thorp.node.types import Readings


class MachineGauges:
    def __init__(self, home: Path, statm: Path = Path("/proc/self/statm")) -> None:
        self._home = home
        self._statm = statm

    def read(self) -> Readings:
        free, total = self._disk()
        return Readings(resident_bytes=self._resident(), disk_free=free, disk_total=total)

    def _resident(self) -> int | None:
        try:
            return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None

    def _disk(self) -> tuple[int | None, int | None]:
        try:
            usage = shutil.disk_usage(self._home)
        except OSError:
            return None, None
        return usage.free, usage.total
