import shutil
import stat
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from thorp.app.settings import KEYS
from thorp.cli.config import aligned, shown, told

ROW = {"key": "local.port", "value": 9001, "origin": "flag", "default": 8737, "live": False, "help": "A port."}
OUTCOME = {"applied": ["logs.level"], "needs_restart": ["local.port"], "shadowed": []}


def text_of(thorp: Thorp) -> str:
    return (thorp.home / "config.toml").read_text()


def test_what_is_shown_could_be_a_settings_file(thorp: Thorp) -> None:
    thorp("config", "set", "local.hosts", "attic, barn")
    found = thorp("config", "show")

    assert tomllib.loads(found.out)["local"]["hosts"] == ["attic", "barn"]
    assert len(found.out.splitlines()) == len(KEYS)


def test_the_origin_of_each_value_is_shown(thorp: Thorp) -> None:
    thorp("config", "set", "local.port", "9001")
    lines = thorp("config", "show", "--origin", THORP_LOGS_LEVEL="error").out.splitlines()
    origins = {line.split(" = ")[0]: line.rpartition("# ")[2] for line in lines}

    assert (origins["local.port"], origins["logs.level"], origins["mesh.port"]) == ("file", "environment", "default")


def test_with_json_the_answer_has_the_shape_of_the_api(thorp: Thorp) -> None:
    answer = thorp("config", "show", "--json").json

    assert set(answer) == {"settings", "needs_restart"}
    assert set(answer["settings"][0]) == {"key", "value", "origin", "default", "live", "help"}


def test_a_running_node_is_asked_because_it_knows_its_flags(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/config", {"settings": [ROW], "needs_restart": ["mesh.port"]})
    node.says("GET", "/api/v1/config/local.port", ROW)
    found = thorp("config", "show")

    assert found.out == "local.port = 9001\n"
    assert "mesh.port" in found.err
    assert thorp("config", "get", "local.port").out == "9001\n"
    assert thorp("config", "get", "local.port", "--json").json == ROW


def test_one_setting_is_printed_as_it_can_be_set(thorp: Thorp) -> None:
    thorp("config", "set", "local.hosts", "attic,barn")

    assert thorp("config", "get", "local.hosts").out == "attic,barn\n"
    assert thorp("config", "get", "local.open_inference").out == "true\n"
    assert thorp("config", "get", "local.port", "--json").json["default"] == 8737


def test_a_change_without_a_node_is_written_to_the_file(thorp: Thorp) -> None:
    found = thorp("config", "set", "local.port", "9001")

    assert (found.code, found.out) == (0, "")
    assert text_of(thorp) == "[local]\nport = 9001\n"
    assert thorp("config", "unset", "local.port").code == 0
    assert thorp("config", "get", "local.port").out == "8737\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "local.prot", "1"), "Did you mean `local.port`?"),
        (("set", "local.port", "web"), "it takes a whole number from 0 to 65535"),
        (("get", "local.prot"), "Did you mean `local.port`?"),
        (("unset", "local.prot"), "Did you mean `local.port`?"),
        (("get", "local"), "It is a section"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(thorp: Thorp, arguments: tuple[str, ...], says: str) -> None:
    found = thorp("config", *arguments)

    assert found.code == 2
    assert says in found.err
    assert not (thorp.home / "config.toml").exists()


def test_a_change_that_a_variable_shadows_says_so(thorp: Thorp) -> None:
    found = thorp("config", "set", "local.port", "9001", THORP_LOCAL_PORT="9002")

    assert "a variable or flag of this run wins: local.port" in found.err
    assert thorp("config", "set", "local.port", "1", "--json", THORP_LOCAL_PORT="2").json["shadowed"] == ["local.port"]


def test_a_variable_that_sets_nothing_is_warned_of(thorp: Thorp) -> None:
    assert "Did you mean `THORP_LOCAL_PORT`?" in thorp("config", "show", THORP_LOCAL_PROT="1").err


def test_with_a_running_node_the_node_changes_its_settings(thorp: Thorp, node: FakeNode) -> None:
    node.says("PUT", "/api/v1/config/local.port", OUTCOME)
    node.says("DELETE", "/api/v1/config/local.port", OUTCOME)
    found = thorp("config", "set", "local.port", "9001")

    assert "Applied: logs.level. At the next start: local.port." in found.err
    assert node.asked[0].body == {"value": "9001"}
    assert thorp("config", "unset", "local.port", "--json").json == OUTCOME
    assert not (thorp.home / "config.toml").exists()


def test_a_veto_of_the_node_is_told(thorp: Thorp, node: FakeNode) -> None:
    told_no = {"error": {"code": "config.veto", "message": "Nothing was changed: taken.", "details": {}}}
    node.says("PUT", "/api/v1/config/local.port", told_no, status=409)
    found = thorp("config", "set", "local.port", "9001")

    assert found.code == 8
    assert "Nothing was changed: taken." in found.err


def test_every_mistake_is_found_in_one_go(thorp: Thorp) -> None:
    thorp.home.mkdir()
    (thorp.home / "config.toml").write_text("[local]\nprot = 1\nport = -1\n")
    found = thorp("config", "check", THORP_MESH_PORT="x", THORP_MESH_PROT="1")

    assert found.code == 2
    assert len(found.out.splitlines()) == 3
    assert "line 2" in found.out
    assert "Did you mean `THORP_MESH_PORT`?" in found.err
    answer = thorp("config", "check", "--json").json
    assert [problem["code"] for problem in answer["problems"]] == ["config.unknown_key", "config.bad_value"]


def test_a_file_without_mistakes_is_fine(thorp: Thorp) -> None:
    found = thorp("config", "check")

    assert (found.code, found.out) == (0, "")
    assert "no mistakes" in found.err


def test_a_mistake_in_the_file_can_be_taken_out(thorp: Thorp) -> None:
    thorp.home.mkdir()
    (thorp.home / "config.toml").write_text("# mine\n[local]\nprot = 1\n")

    assert thorp("config", "show").code == 2
    assert thorp("config", "unset", "local.prot").code == 0
    assert text_of(thorp) == "# mine\n"


def test_one_of_two_mistakes_can_be_taken_out_and_the_other_is_warned_of(thorp: Thorp) -> None:
    thorp.home.mkdir()
    (thorp.home / "config.toml").write_text("[local]\nprot = 1\nport = -1\n")

    refused = thorp("config", "set", "logs.level", "debug")
    assert refused.code == 2
    assert "line 2" in refused.err
    assert "line 3" in refused.err
    found = thorp("config", "unset", "local.prot")
    assert (found.code, text_of(thorp)) == (0, "[local]\nport = -1\n")
    assert f"Warning: `local.port` ({thorp.home}/config.toml, line 2) cannot be `-1`" in found.err
    assert thorp("config", "unset", "local.port").err == f"Written to {thorp.home}/config.toml.\n"


def test_a_name_without_end_is_refused(thorp: Thorp) -> None:
    found = thorp("config", "set", "node.name", "x" * 65)

    assert found.code == 2
    assert "it takes text of at most 64 characters." in found.err
    assert thorp("config", "set", "node.name", "x" * 64).code == 0


def test_what_is_not_in_the_file_cannot_be_taken_out_of_it(thorp: Thorp) -> None:
    found = thorp("config", "unset", "local.host")

    assert (found.code, found.err) == (0, "`local.host` is not in the file.\n")
    assert not (thorp.home / "config.toml").exists()
    thorp("config", "set", "local.port", "1")
    assert thorp("config", "unset", "local.port").err == f"Written to {thorp.home}/config.toml.\n"


def test_a_running_node_whose_file_lacks_the_setting_is_no_reason_to_speak_of_changes(
    thorp: Thorp, node: FakeNode, elsewhere: FakeNode
) -> None:
    for one in (node, elsewhere):
        one.says("DELETE", "/api/v1/config/local.host", OUTCOME | {"applied": [], "needs_restart": []})

    assert thorp("config", "unset", "local.host").err == "`local.host` is not in the file.\n"
    assert thorp("config", "unset", "local.host", "--node", elsewhere.url).err.startswith("Nothing has changed")
    (thorp.home / "config.toml").write_text('local.host = "127.0.0.1"\n')
    assert thorp("config", "unset", "local.host").err.startswith("Nothing has changed")


def test_the_paths_are_shown(thorp: Thorp) -> None:
    assert f"config    {thorp.home}/config.toml" in thorp("config", "paths").out
    assert thorp("config", "paths", "--json").json["socket"] == str(thorp.home / "run/api.sock")
    assert not thorp.home.exists()


@pytest.mark.parametrize("arguments", [("set", "node.name", "x"), ("edit",)])
def test_where_no_home_can_be_made_the_reason_is_told(thorp: Thorp, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file/home"
    found = thorp("config", *arguments, THORP_HOME=str(home), EDITOR="sh -c 'echo >> \"$1\"' -")

    assert found.code == 3
    assert found.err.startswith(f"Cannot make `{home}`: Not a directory.")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An editor that writes what stands beside it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = tmp_path / "an editor.py"
    script.write_text(
        "import sys, pathlib\n"
        "new = pathlib.Path(__file__).with_name('new.toml')\n"
        "sys.exit(3) if not new.exists() else pathlib.Path(sys.argv[1]).write_text(new.read_text())\n"
    )
    return f"{sys.executable} '{script}'"


def test_an_edited_file_is_taken_when_it_has_no_mistakes(thorp: Thorp, editor: str, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("[local]\nport = 9001\n")
    found = thorp("config", "edit", EDITOR=editor)

    assert (found.code, text_of(thorp)) == (0, "[local]\nport = 9001\n")
    assert stat.S_IMODE((thorp.home / "config.toml").stat().st_mode) == 0o600
    assert "Nothing was changed" in thorp("config", "edit", EDITOR=editor).err


def test_an_edited_file_with_mistakes_is_kept_apart(thorp: Thorp, editor: str, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("[local]\nprot = 9001\n")
    found = thorp("config", "edit", "--json", EDITOR=editor)

    assert found.code == 2
    assert not (thorp.home / "config.toml").exists()
    kept = Path(found.error["details"]["where"].partition(",")[0])
    assert found.error["code"] == "config.unknown_key"
    assert found.error["details"]["kept"] == str(kept)
    assert found.error["message"].endswith(f"\nThe settings are as they were; your text is kept in `{kept}`.")
    assert kept.read_text() == "[local]\nprot = 9001\n"
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_running_node_follows_an_edit_or_it_is_taken_back(
    thorp: Thorp, editor: str, tmp_path: Path, node: FakeNode
) -> None:
    (tmp_path / "new.toml").write_text("[local]\nport = 9001\n")
    told_no = {"error": {"code": "config.veto", "message": "Nothing was changed: taken.", "details": {}}}
    node.says("POST", "/api/v1/config/reload", told_no, status=409)
    refused = thorp("config", "edit", EDITOR=editor)
    assert refused.code == 8
    assert not (thorp.home / "config.toml").exists()
    assert Path(refused.err.split("`")[-2]).read_text() == "[local]\nport = 9001\n"

    node.says("POST", "/api/v1/config/reload", OUTCOME)
    assert thorp("config", "edit", "--json", EDITOR=editor).json == OUTCOME
    assert text_of(thorp) == "[local]\nport = 9001\n"


@pytest.mark.parametrize(("given", "says"), [("", "Set VISUAL or EDITOR"), ("/no/such/editor", "cannot be started")])
def test_without_a_working_editor_the_remedy_is_told_and_nothing_stays_behind(
    thorp: Thorp, given: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = thorp("config", "edit", EDITOR=given)

    assert found.code == 2
    assert says in found.err
    assert "VISUAL or EDITOR" in found.err
    assert list(tmp_path.iterdir()) == []


def test_an_editor_that_ends_badly_changes_nothing(thorp: Thorp, editor: str, tmp_path: Path) -> None:
    found = thorp("config", "edit", EDITOR=editor)

    assert found.code == 2
    assert found.err.endswith("ended with 3.\nThe settings are as they were.\n")
    assert [one.name for one in tmp_path.iterdir()] == ["an editor.py"]


def test_an_editor_that_ends_badly_leaves_what_was_written(thorp: Thorp, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "# mine" > "$1"; exit 3')
    found = thorp("config", "edit", "--json", EDITOR=f"sh {script}")

    kept = Path(found.error["details"]["kept"])
    assert kept.read_text() == "# mine\n"
    assert found.error["code"] == "cli.editor_failed"
    assert f"your text is kept in `{kept}`" in found.error["message"]
    shutil.rmtree(kept.parent)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (5, "5"), ("a b", "a b"), (["a", "b"], "a,b"), ([], ""), (0.5, "0.5")]
)
def test_values_are_shown_as_they_are_set(value: object, text: str) -> None:
    assert shown(value) == text


def test_an_outcome_without_anything_has_a_sentence_too() -> None:
    assert told({"applied": [], "needs_restart": [], "shadowed": []}, "Nothing.") == "Nothing."


def test_origins_line_up_unless_that_would_break_lines() -> None:
    lines = [("local.port = 1", "file"), ("a = 1", "default")]

    assert aligned(lines, None) == len("local.port = 1")
    assert aligned(lines, len("local.port = 1  # default")) == len("local.port = 1")
    assert aligned(lines, len("local.port = 1  # default") - 1) == 0
