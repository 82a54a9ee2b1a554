import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Thorp


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(thorp: Thorp, shell: str) -> None:
    found = thorp("completion", shell)

    assert found.code == 0
    assert "_THORP_COMPLETE" in found.out
    assert f"{shell}_complete" in found.out


def test_another_shell_is_a_usage_error(thorp: Thorp) -> None:
    found = thorp("completion", "tcsh")

    assert found.code == 2
    assert "bash" in found.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("thorp un", ["unshare", "unexpose"]),
        ("thorp keys ", ["create", "list", "revoke"]),
        ("thorp keys create --rp", ["--rpm"]),
        ("thorp config set mesh.", ["mesh.host", "mesh.port"]),
        ("thorp config get node.n", ["node.name"]),
        ("thorp config unset logs.l", ["logs.level"]),
        ("thorp keys create x --scope slots", ["slots:read", "slots:write"]),
        ("thorp keys create x --scope slots:read,sl", ["slots:read,slots:write"]),
        ("thorp call node.e", ["node.echo"]),
    ],
)
def test_the_shell_is_offered_what_fits(words: str, offered: list[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "thorp"],
        env=os.environ
        | {"_THORP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert [line.partition(",")[2] for line in shown.stdout.splitlines()] == offered
