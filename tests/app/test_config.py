import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.app.config import (
    LARGEST_FILE,
    BadConfigError,
    ConfigFile,
    ConfigTooLongError,
    EditedMeanwhileError,
    NotTomlError,
    Origin,
    Sources,
    check,
    evaluate,
    evaluate_change,
    line_numbers,
    load,
)
from thorp.app.environment import Environment
from thorp.app.settings import KEYS
from thorp.base.errors import ThorpError
from thorp.base.files import DISK, FileTooLargeError
from thorp.base.settings import BadValueError, UnknownKeyError
from thorp.wire.capabilities.config import ConfigAnswer

TEXT = """\
# mine
[local]
port = 9001  # because
hosts = ["attic"]

[logs]
level = "debug"
"""


def test_nothing_at_all_is_fine() -> None:
    effective = evaluate(Sources())

    assert effective.settings.local.port == 8737
    assert {held.origin for held in effective.held.values()} == {Origin.DEFAULT}


def test_the_stronger_word_wins_and_its_origin_is_known() -> None:
    sources = Sources(
        TEXT,
        environment={"THORP_LOCAL_PORT": "9002", "THORP_MESH_PORT": "9003"},
        flags={"local.port": "9004"},
    )
    effective = evaluate(sources)
    held = {key: (one.value, one.origin.value, one.where) for key, one in effective.held.items()}

    assert held["local.port"] == (9004, "flag", "flag")
    assert held["mesh.port"] == (9003, "environment", "THORP_MESH_PORT")
    assert held["logs.level"] == ("debug", "file", "config.toml, line 7")
    assert held["local.host"] == ("127.0.0.1", "default", "")
    assert effective.settings.local.port == 9004
    assert effective.shadowed(("local.port", "mesh.port", "logs.level")) == ("local.port", "mesh.port")


def test_an_unknown_variable_is_a_warning_with_the_nearest_one() -> None:
    effective = evaluate(Sources(environment={"THORP_LOCAL_PROT": "9002"}))

    assert effective.warnings == ("The variable THORP_LOCAL_PROT sets nothing. Did you mean `THORP_LOCAL_PORT`?",)


@pytest.mark.parametrize(
    ("sources", "error", "says"),
    [
        (Sources("[local]\nprot = 1"), UnknownKeyError, r"`local.prot` \(config.toml, line 2\)\. Did you mean `local"),
        (Sources("[locl]\nport = 1"), UnknownKeyError, r"`locl.port`.*Did you mean `local.port`"),
        (Sources("[locl]"), UnknownKeyError, r"no setting `locl`"),
        (Sources('"local.port" = 1'), UnknownKeyError, r'no setting `"local.port"`'),
        (Sources("local = 1"), UnknownKeyError, r"It is a section"),
        (Sources('[local]\nport = "9000"'), BadValueError, r"`local.port` \(config.toml, line 2\) is the text"),
        (Sources("[local]\nport = 1979-05-27"), BadValueError, r"a whole number from 0 to 65535"),
        (Sources("local.port = 70000"), BadValueError, r"line 1"),
        (Sources("[local\n"), NotTomlError, r"`config.toml` is not TOML: .*line 1"),
        (Sources("a = " + "[" * 100_000), NotTomlError, r"not TOML"),
        (Sources(environment={"THORP_LOCAL_PORT": "web"}), BadValueError, r"\(THORP_LOCAL_PORT\) cannot be `web`"),
        (Sources(flags={"local.prot": "1"}), UnknownKeyError, r"`local.prot` \(flag\)"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(sources: Sources, error: type[ThorpError], says: str) -> None:
    with pytest.raises(error, match=says):
        evaluate(sources)


def test_all_mistakes_are_found_in_one_go() -> None:
    sources = Sources(
        "[local]\nprot = 1\nport = -1\n[logs]\nlevel = 'loud'",
        environment={"THORP_MESH_PORT": "x"},
        flags={"node": "y"},
    )
    effective, problems = check(sources)

    assert [problem.details["key"] for problem in problems] == [
        "local.prot", "local.port", "logs.level", "mesh.port", "node",
    ]  # fmt: skip
    assert effective.settings.local.port == 8737
    with pytest.raises(BadConfigError, match=r"5 settings are wrong:\n  There is no setting `local.prot`"):
        evaluate(sources)


WRONG = "# a\n[local]\nprot = 1\nport = -1\n[logs]\nlevel = 'loud'\n"
LESS = "# a\n[local]\nport = -1\n[logs]\nlevel = 'loud'\n"


def test_mistakes_that_were_there_before_may_stay_as_warnings() -> None:
    effective = evaluate_change(Sources(WRONG), LESS, evaluate(Sources(TEXT)).held, lenient=True)

    assert [warning.partition(" (")[0] for warning in effective.warnings] == ["`local.port`", "`logs.level`"]
    assert "line 3" in effective.warnings[0]
    assert (effective.settings.local.port, effective.settings.logs.level) == (9001, "debug")
    assert evaluate_change(Sources(WRONG), LESS, lenient=True).settings.local.port == 8737


@pytest.mark.parametrize("lenient", [False, True])
def test_a_new_mistake_is_refused_with_the_old_ones_where_they_stand_now(*, lenient: bool) -> None:
    with pytest.raises(BadConfigError) as caught:
        evaluate_change(Sources(WRONG), LESS + "[mesh]\nport = 'x'\n", lenient=lenient)

    lines = caught.value.message.splitlines()[1:]
    places = (
        "`local.port` (config.toml, line 4)",
        "`logs.level` (config.toml, line 6)",
        "`mesh.port` (config.toml, line 7)",
    )
    assert all(place in line for place, line in zip(places, lines, strict=True))


def test_a_change_that_mends_everything_needs_no_leniency() -> None:
    assert evaluate_change(Sources(WRONG), TEXT, lenient=False) == evaluate(Sources(TEXT))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    effective, problems = check(Sources(text))

    assert all(problem.code.startswith("config.") for problem in problems)
    assert set(effective.held) == set(KEYS)


def test_the_rows_are_what_the_api_promises() -> None:
    effective = evaluate(Sources(TEXT))
    rows = {str(row["key"]): row for row in effective.rows()}

    assert list(rows) == list(KEYS)
    assert rows["local.hosts"]["value"] == ["attic"]
    assert rows["logs.level"] == {
        "key": "logs.level",
        "value": "debug",
        "origin": "file",
        "default": "info",
        "live": True,
        "help": KEYS["logs.level"].help,
    }
    ConfigAnswer.model_validate_json(json.dumps({"settings": effective.rows(), "needs_restart": []}))


def test_lines_are_found_in_every_common_spelling() -> None:
    text = "config_version = 1\nmesh.port = 2\n[ local ] # x\nport=3\n  hosts = [\n 'a',\n]\n[logs]\nlevel = 'info'\n"

    assert line_numbers(text) == {
        "config_version": 1, "mesh.port": 2, "local.port": 4, "local.hosts": 5, "logs.level": 9,
    }  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path / "config.toml", DISK)


def test_a_missing_file_is_not_an_empty_one_and_both_work(file: ConfigFile) -> None:
    assert file.read() is None
    file.replace(None, "")
    assert file.read() == ""
    assert load(file, Environment()).settings.local.port == 8737
    file.replace("", None)
    assert not file.path.exists()


def test_the_file_is_loaded_below_the_environment(file: ConfigFile) -> None:
    file.replace(None, TEXT)
    environment = Environment.of({"THORP_LOGS_LEVEL": "error"})
    effective = load(file, environment, {"mesh.port": "1"})

    assert effective.settings.local.port == 9001
    assert effective.settings.logs.level == "error"
    assert effective.settings.mesh.port == 1
    assert str(file.path) in effective.held["local.port"].where


def test_more_than_is_read_is_not_written(file: ConfigFile) -> None:
    file.replace(None, TEXT)

    with pytest.raises(ConfigTooLongError, match="nothing was written"):
        file.replace(TEXT, "# é" + "x" * (LARGEST_FILE - 3))
    assert file.read() == TEXT
    longest = "#" * LARGEST_FILE
    file.replace(TEXT, longest)
    assert file.read() == longest


def test_what_somebody_wrote_meanwhile_is_not_overwritten(file: ConfigFile) -> None:
    file.replace(None, TEXT)
    file.path.write_text("# by hand")

    with pytest.raises(EditedMeanwhileError, match="edited meanwhile"):
        file.replace(TEXT, "")
    assert file.path.read_text() == "# by hand"


def test_a_file_that_appeared_or_went_meanwhile_counts_as_edited(file: ConfigFile) -> None:
    with pytest.raises(EditedMeanwhileError):
        file.replace(TEXT, "")
    file.path.write_text("# by hand")
    with pytest.raises(EditedMeanwhileError):
        file.replace(None, TEXT)


def test_a_link_into_somebodys_dotfiles_stays_a_link(file: ConfigFile, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles/thorp.toml"
    real.write_text("")
    file.path.symlink_to(real)

    file.replace("", TEXT)

    assert file.path.is_symlink()
    assert real.read_text() == TEXT


def test_the_file_is_for_its_owner_alone(file: ConfigFile) -> None:
    file.replace(None, TEXT)

    assert file.path.stat().st_mode & 0o777 == 0o600


def test_bytes_that_are_no_text_and_a_file_without_end_are_refused(file: ConfigFile) -> None:
    file.path.write_bytes(b"[local]\nport = \xff")
    with pytest.raises(NotTomlError, match="no UTF-8 text at byte 15"):
        file.read()
    file.path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(FileTooLargeError):
        file.read()


def test_a_folder_that_cannot_be_made_is_told_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = ConfigFile(tmp_path / "file/home/config.toml", DISK)

    with pytest.raises(ThorpError, match=r"Cannot make `.*/file/home`: Not a directory"):
        file.make_folder()
