"""What the tests of formats share: how deep they dig, and what a refusal may cost."""

import os
import tracemalloc
from collections.abc import Callable
from typing import Final

DEPTH: Final = max(1, int(os.environ.get("THORP_TEST_DEPTH", "1")))  # 100 tries every byte
STRIDE: Final = max(1, 97 // DEPTH)
MOST_MEMORY: Final = 64 * 1024 * 1024


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes of memory that were held at once while this ran."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
