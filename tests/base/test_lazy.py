"""Heavy libraries load on first use."""

import subprocess
import sys

import pytest

from thorp.base.lazy import LazyModule


def test_the_module_is_loaded_when_it_is_used_and_not_before() -> None:
    program = (
        "import sys; from thorp.base.lazy import LazyModule; one = LazyModule('colorsys');"
        "assert 'colorsys' not in sys.modules; one.load().rgb_to_hsv(0, 0, 0); assert 'colorsys' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_missing_module_says_so_when_it_is_used() -> None:
    with pytest.raises(ModuleNotFoundError):
        LazyModule("no_such_module_anywhere").load()
