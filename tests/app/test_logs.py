import asyncio
import io
import json
import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from thorp.app.logs import Level, Logs, LogSettings, keep_crash, logging_to
from thorp.base.errors import ThorpError
from thorp.base.request import current_request

SECRET = "thorp_k7h3mqx2p_" + "aB3-_" * 8 + "xyz"


@dataclass(frozen=True)
class WithLogs:
    logs: LogSettings


class Case:
    """A log of its own, so that the one of the test run stays as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = logging.Logger("case")  # noqa: LOG001  (outside the tree, where the test runner listens too)
        self.stream = io.StringIO()

    @contextmanager
    def running(self, settings: LogSettings | None = None, *, colours: bool = False) -> Iterator[Logs]:
        with logging_to(self.folder, settings or LogSettings(), self.stream, colours=colours, root=self.root) as logs:
            yield logs

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.folder / "thorp.log").read_text().splitlines()]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_a_line_is_json_in_the_file_and_words_on_the_terminal(case: Case) -> None:
    with case.running():
        case.root.warning("the port %d is taken", 8737)

    (line,) = case.lines()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "case", "message": "the port 8737 is taken"}
    assert case.stream.getvalue().endswith(" warning case  the port 8737 is taken\n")


def test_the_request_goes_through_to_both(case: Case) -> None:
    token = current_request.set("r-42")
    try:
        with case.running():
            case.root.info("asked")
    finally:
        current_request.reset(token)

    assert case.lines()[0]["request"] == "r-42"
    assert case.stream.getvalue().endswith("asked (r-42)\n")


def test_no_secret_reaches_either_not_even_by_an_exception(case: Case) -> None:
    def fail() -> None:
        raise ValueError(f"cannot use {SECRET}")

    with case.running():
        case.root.info("got %s", {"authorization": f"Bearer {SECRET}"})
        try:
            fail()
        except ValueError:
            case.root.exception("failed with %s", SECRET)

    everything = case.stream.getvalue() + (case.folder / "thorp.log").read_text()
    assert SECRET[-20:] not in everything
    assert "thorp_k7h3mqx2p_[redacted]" in case.lines()[1]["traceback"]
    assert "ValueError" in case.stream.getvalue()


def test_a_line_from_outside_cannot_forge_another_or_steer_the_terminal(case: Case) -> None:
    with case.running():
        case.root.info("name is %s", "a\n12:00:00 error  net  forged\x1b[2J")

    assert len(case.lines()) == 1
    first, second = case.stream.getvalue().splitlines()
    assert first.endswith("name is a")
    assert second.startswith("  12:00:00")
    assert "\x1b" not in second


def test_an_endless_message_is_cut(case: Case) -> None:
    with case.running():
        case.root.info("x" * 1_000_000)

    assert len(case.lines()[0]["message"]) < 40_000


def test_half_a_surrogate_pair_is_written_somehow(case: Case) -> None:
    with case.running():
        case.root.info("half \ud83d and ä")

    assert "ä" in case.lines()[0]["message"]


def test_the_level_follows_the_settings_while_running(case: Case) -> None:
    async def change(logs: Logs) -> None:
        before, after = WithLogs(LogSettings()), WithLogs(LogSettings(level=Level.ERROR))
        assert logs.review(before, after) == ()
        await logs.apply(before, after)

    with case.running() as logs:
        case.root.debug("one")
        case.root.info("two")
        asyncio.run(change(logs))
        case.root.warning("three")
        case.root.error("four")

    assert [line["message"] for line in case.lines()] == ["two", "four"]


def test_files_are_private_and_rotate(case: Case) -> None:
    (case.folder / "thorp.log").write_text("")
    (case.folder / "thorp.log").chmod(0o644)
    with case.running(LogSettings(file_megabytes=1, files_kept=2)):
        for _ in range(130):
            case.root.info("x" * 30_000)

    files = sorted(case.folder.iterdir())
    assert [file.name for file in files] == ["thorp.log", "thorp.log.1", "thorp.log.2"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_colours_only_where_wanted(case: Case) -> None:
    with case.running(colours=True):
        case.root.error("red")
    coloured = case.stream.getvalue()
    with case.running():
        case.root.error("plain")

    assert "\x1b[31m" in coloured
    assert "\x1b" not in case.stream.getvalue().removeprefix(coloured)


def test_the_servers_own_loggers_are_routed_here(case: Case) -> None:
    server, access = logging.getLogger("uvicorn.error"), logging.getLogger("uvicorn.access")
    server.addHandler(logging.NullHandler())
    server.propagate = False

    with case.running() as logs:
        assert server.handlers == []
        assert server.propagate
        assert access.level == logging.WARNING
        logs.set_level(Level.DEBUG)
        assert access.level == logging.DEBUG


def test_everything_is_as_before_afterwards(case: Case) -> None:
    with case.running():
        assert len(case.root.handlers) == 2

    assert case.root.handlers == []
    assert case.root.level == logging.NOTSET


def test_a_line_that_cannot_be_written_costs_the_line_and_shows_no_argument(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    with case.running():
        case.root.info("%d is no number", SECRET)
        case.root.info("next")

    assert case.lines()[0]["message"] == "next"
    told = capsys.readouterr().err
    assert "could not be written" in told
    assert SECRET not in told


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ThorpError, match="missing"), Case(tmp_path / "missing").running():
        pass


def test_a_link_in_the_place_of_the_log_is_not_followed(case: Case, tmp_path: Path) -> None:
    (tmp_path / "thorp.log").symlink_to(tmp_path / "precious")

    with pytest.raises(ThorpError), case.running():
        pass
    assert not (tmp_path / "precious").exists()


def test_a_crash_is_kept_without_its_secrets(tmp_path: Path) -> None:
    kept = keep_crash(tmp_path, ValueError(f"cannot use {SECRET}"))

    assert kept == tmp_path / "cli.log"
    line = json.loads(kept.read_text())
    assert "ValueError" in line["traceback"]
    assert SECRET not in kept.read_text()
    assert keep_crash(tmp_path / "missing", ValueError()) is None
