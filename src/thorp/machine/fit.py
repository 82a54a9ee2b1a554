"""Whether a model fits this machine, from the size of its files alone. A first answer before anything is loaded.

It knows neither context nor cache; where the memory is unknown it says nothing.
"""

from enum import StrEnum
from typing import Final

from thorp.machine.snapshot import MachineSnapshot

# Weights are mapped as they lie on disk; a tenth more holds the cache of a usual context and the compute buffers,
# which both grow with the model.
GROWTH_PERCENT: Final = 110
# The engine's process and its smallest buffers, however small the model.
GROUND: Final = 500_000_000
# A quarter is left to the system, a browser and the page cache: nobody notices that a model is loaded.
EASY_PERCENT: Final = 75
# The last twentieth belongs to the kernel. Above it the machine swaps, or ends a process.
UTMOST_PERCENT: Final = 95


class Fit(StrEnum):
    FITS = "fits"
    TIGHT = "tight"
    TOO_BIG = "too big"


def fit(size: int, snapshot: MachineSnapshot) -> Fit | None:
    """Against all the memory there could be, not what is free by chance; None where nobody knows how much that is."""
    if snapshot.ram_total is None:
        return None
    needed = needed_for(size)
    if needed * 100 <= snapshot.ram_total * EASY_PERCENT:
        return Fit.FITS
    return Fit.TIGHT if needed * 100 <= snapshot.ram_total * UTMOST_PERCENT else Fit.TOO_BIG


def needed_for(size: int) -> int:
    """Bytes of memory for a model whose files have so many."""
    return size * GROWTH_PERCENT // 100 + GROUND
