import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.terminal import printed_to
from thorp import __version__


def process(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thorp", *arguments],
        env=os.environ | {"THORP_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_the_commands_in_their_sections(home: Path) -> None:
    shown = process(home, "--help")

    assert shown.returncode == 0
    assert shown.stderr == ""
    for word in ("Node:", "Access:", "status", "keys", "API keys: make, list, revoke.", "--json", "--node URL"):
        assert word in shown.stdout


def test_without_a_terminal_thorp_alone_shows_the_help(home: Path) -> None:
    assert process(home).stdout == process(home, "-h").stdout


def test_help_imports_no_command(home: Path) -> None:
    script = (
        "import sys\n"
        "from thorp.app.environment import Environment\n"
        "from thorp.cli.main import run\n"
        "run(['--help'], Environment())\n"
        "run(['keys', '--help'], Environment())\n"
        "heavy = {'pydantic', 'rich', 'tomlkit', 'asyncio', 'ssl', 'http', 'thorp.cli.keys', 'thorp.cli.link'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert not home.exists()


def test_the_version_is_printed(thorp: Thorp) -> None:
    assert thorp("--version").out == f"thorp {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("statsu",), "There is no command `thorp statsu`. Did you mean `status`? `thorp --help` lists them all."),
        (("keys", "creat"), "There is no command `thorp keys creat`. Did you mean `create`?"),
        (("xyzzy",), "There is no command `thorp xyzzy`. `thorp --help`"),
        (("status", "--bogus"), "There is no option `--bogus`. See `thorp status --help`."),
        (("keys", "create"), "`NAME` is missing. See `thorp keys create --help`."),
        (("keys",), "Usage: thorp keys"),
    ],
)
def test_a_wrong_line_is_a_usage_error_that_helps(thorp: Thorp, arguments: tuple[str, ...], says: str) -> None:
    shown = thorp(*arguments)

    assert shown.code == 2
    assert says in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("arguments", [("--json", "statsu"), ("statsu", "--json"), ("status", "--bogus", "--json")])
def test_with_json_an_error_is_an_envelope_on_stderr(thorp: Thorp, arguments: tuple[str, ...]) -> None:
    shown = thorp(*arguments)

    assert shown.code == 2
    assert shown.out == ""
    assert shown.error["code"] in ("cli.unknown_command", "cli.usage")
    assert shown.error["message"]


@pytest.mark.parametrize(
    "arguments",
    [("--json", "config", "paths"), ("config", "--json", "paths"), ("config", "paths", "--json")],
)
def test_options_of_every_command_stand_anywhere(thorp: Thorp, arguments: tuple[str, ...]) -> None:
    assert thorp(*arguments).json["home"] == str(thorp.home)


def test_quiet_leaves_data_and_errors(thorp: Thorp) -> None:
    loud, quiet = thorp("config", "set", "local.port", "1"), thorp("config", "set", "local.port", "2", "-q")

    assert "Written to" in loud.err
    assert (quiet.code, quiet.err) == (0, "")
    assert thorp("config", "set", "local.port", "x", "--quiet").err


def test_colours_follow_the_environment(thorp: Thorp) -> None:
    assert "\x1b[31m" in thorp("statsu", FORCE_COLOR="1").err
    assert "\x1b" not in thorp("statsu", FORCE_COLOR="1", NO_COLOR="1").err
    assert "\x1b" not in thorp("statsu").err


def test_a_fault_of_ours_is_told_in_a_sentence_and_kept(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", {"surprise": "Bearer abcdefgh"})
    shown = thorp("status")

    assert shown.code == 1
    assert shown.err.startswith("This should not have happened: KeyError: 'node'.")
    log = thorp.home / "logs/cli.log"
    assert f"`{log}` has the details." in shown.err
    assert "KeyError" in json.loads(log.read_text())["traceback"]


def test_a_fault_of_ours_shows_its_traceback_when_asked(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", {})

    assert "Traceback (most recent call last)" in thorp("status", "-v").err
    assert "Traceback" not in thorp("status").err
    assert thorp("status", "--json", "-q").code == 0


def test_where_there_is_no_home_a_fault_makes_none(thorp: Thorp, elsewhere: FakeNode) -> None:
    elsewhere.says("GET", "/api/v1/status", {})
    shown = thorp("status", "--node", elsewhere.url)

    assert "Run it again with `-v`" in shown.err
    assert not thorp.home.exists()


def test_an_interrupt_is_130_and_says_nothing_more(home: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from thorp.cli.table import COMMANDS\n"
        "class Pressed:\n"
        "    def isatty(self): os.kill(os.getpid(), signal.SIGINT); return False\n"
        "    def __getattr__(self, name): return getattr(sys.__stdout__, name)\n"
        "sys.stdout = Pressed()\n"
        "sys.argv = ['thorp']\n"
        "from thorp.cli.main import main\n"
        "main()\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"THORP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert shown.returncode == 130
    assert shown.stderr.strip() == ""


def test_a_reader_that_went_away_is_no_fault(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        assert printed_to(home, nobody.fileno(), "config", "show") == (1, "")


@pytest.mark.parametrize(
    "arguments", [("config", "show"), ("config", "paths", "--json"), ("--help",), ("keys", "-h"), ("--version",)]
)
def test_output_that_leads_nowhere_is_told_in_a_sentence(home: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        code, told = printed_to(home, full.fileno(), *arguments)

    assert code == 7
    assert "The output could not be written: No space left on device." in told
    assert len(told.splitlines()) == 1


def test_where_not_even_errors_can_be_written_the_exit_code_stays(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        shown = subprocess.run(
            [sys.executable, "-m", "thorp", "statsu"],
            env=os.environ | {"THORP_HOME": str(home)},
            stdout=full,
            stderr=full,
            check=False,
            timeout=60,
        )

    assert shown.returncode == 2


def test_a_terminal_that_knows_few_letters_gets_the_rest_spelled_out(home: Path) -> None:
    shown = process(home, "--help", PYTHONIOENCODING="latin-1")

    assert shown.returncode == 0
    assert "COMMAND \\u2026" in shown.stdout
