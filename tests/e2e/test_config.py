"""The owner's settings: from the file to the running node and back, refused whole or followed whole."""

import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from thorp.testing.process import QUIET, DidNotStartError, NodeProcess, free_port, run_thorp, running_node, start_node

BY_HAND = """\
# my house

[logs]  # quiet, please
level = "warning"   # was info
files_kept = 3

# the attic listens too
[local]
hosts = [ "attic.lan" ]  # and the cellar?
"""


def written(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    file = home / "config.toml"
    file.write_text(text)
    return file


def origins(text: str) -> dict[str, tuple[str, str]]:
    """Key, value and origin of each line of `thorp config show --origin`."""
    lines = (line.split(maxsplit=2) for line in text.splitlines())
    return {key: tuple(part.strip() for part in rest.rsplit("#", 1)) for key, _, rest in lines}  # pyright: ignore[reportReturnType]  (two parts)


def answer_to(node: NodeProcess, host: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)) as connection:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "[local]\n[logs]\n"])
def test_an_empty_file_works(home: Path, text: str) -> None:
    file = written(home, text)
    with running_node(home, **dict.fromkeys(QUIET, "")) as node:
        rows = node.owner().request("GET", "/api/v1/config").data["settings"]
    assert {row["origin"] for row in rows if row["key"] != "local.port"} == {"default"}
    assert file.read_text() == text


def test_every_value_says_where_it_comes_from(home: Path) -> None:
    written(home, BY_HAND)
    with running_node(home, THORP_NODE_NAME="attic", THORP_LOGS_FILES_KEPT="4") as node:
        of_node = origins(node.thorp("config", "show", "--origin").stdout)
    on_disk = origins(run_thorp(home, "config", "show", "--origin", THORP_NODE_NAME="cellar").stdout)
    assert of_node["local.host"] == ('"127.0.0.1"', "default")
    assert of_node["logs.level"] == ('"warning"', "file")
    assert of_node["logs.files_kept"] == ("4", "environment")  # stronger than the file
    assert of_node["node.name"] == ('"attic"', "environment")
    assert of_node["local.port"] == ("0", "flag")
    assert on_disk["node.name"] == ('"cellar"', "environment")
    assert on_disk["local.port"] == ("8737", "default")
    assert on_disk.keys() == of_node.keys()


def test_a_change_keeps_comments_and_order_with_and_without_a_node(home: Path) -> None:
    file = written(home, BY_HAND)
    assert run_thorp(home, "config", "set", "logs.level", "error").returncode == 0
    once = BY_HAND.replace('level = "warning"   # was info', 'level = "error"   # was info')
    assert file.read_text() == once
    with running_node(home) as node:
        assert node.thorp("config", "set", "local.hosts", "attic.lan,cellar.lan").returncode == 0
        assert file.read_text() == once.replace('[ "attic.lan" ]', '["attic.lan", "cellar.lan"]')
        assert node.thorp("config", "unset", "logs.files_kept").returncode == 0
    assert "files_kept" not in file.read_text()
    for comment in ("# my house", "# quiet, please", "# was info", "# the attic listens too", "# and the cellar?"):
        assert comment in file.read_text()


def test_a_wrong_key_names_the_nearest_one(node: NodeProcess) -> None:
    for told in (node.thorp("config", "set", "local.prot", "1"), node.thorp("config", "get", "local.prot")):
        assert (told.returncode, told.stdout) == (2, "")
        assert "`local.prot`. Did you mean `local.port`?" in told.stderr


def test_a_file_with_mistakes_starts_no_node_and_all_of_them_are_told(home: Path) -> None:
    file = written(home, '[local]\nprot = 1\nport = "high"\n')
    checked = run_thorp(home, "config", "check")
    with pytest.raises(DidNotStartError) as refused:
        start_node(home).end()
    assert refused.value.said is not None
    for exit_code, told in (
        (checked.returncode, checked.stdout),
        (refused.value.said.exit_code, refused.value.said.message),
    ):
        assert exit_code == 2
        assert f"{file}, line 2" in told
        assert "Did you mean `local.port`?" in told
        assert f"{file}, line 3" in told
    assert "Traceback" not in str(refused.value)


def test_a_live_change_applies_at_once_and_watchers_hear_of_it(node: NodeProcess) -> None:
    watched = node.watch()
    assert answer_to(node, "attic.lan") == 421
    node.thorp("config", "set", "local.hosts", "attic.lan")
    assert watched.change("config.changed") == {
        "kind": "config.changed",
        "keys": ["local.hosts"],
        "needs_restart": [],
    }
    assert answer_to(node, "attic.lan") == 200

    node.thorp("config", "set", "node.name", "pantry")
    assert watched.change("config.changed")["keys"] == ["node.name"]
    assert node.status()["node"]["name"] == "pantry"
    assert node.thorp("call", "node.info").stdout.count('"pantry"') == 1

    assert "debug" not in {line["level"] for line in node.log()}
    told = node.thorp("config", "set", "logs.level", "debug")
    assert watched.change("config.changed")["keys"] == ["logs.level"]
    assert told.stderr == "Applied: logs.level.\n"
    assert node.end() == 0
    assert "debug" in {line["level"] for line in node.log()}  # every service tells how it ends


def test_a_port_needs_a_restart_and_everybody_says_so(home: Path) -> None:
    written(home, "[local]\nport = 0\n")
    wanted = free_port()
    with running_node(home, flags=()) as node:
        before = node.port
        told = node.thorp("config", "set", "local.port", str(wanted))
        assert (told.returncode, told.stderr) == (0, "At the next start: local.port.\n")
        assert node.status()["config"]["needs_restart"] == ["local.port"]
        assert "needed for local.port" in node.thorp("status").stdout
        assert answer_to(node, "localhost") == 200
        assert node.port == before != wanted
        assert json.loads(node.thorp("config", "get", "local.port", "--json").stdout)["value"] == wanted
    with running_node(home, flags=()) as after:
        assert after.port == wanted
        assert after.status()["config"]["needs_restart"] == []


def all_of(node: NodeProcess) -> tuple[Any, Any, str]:
    """Everything a refused change must leave alone."""
    status = node.status()
    config = node.owner().request("GET", "/api/v1/config").data
    return config, (status["listeners"], status["config"], status["node"]["name"]), node.paths.config_file.read_text()


def test_a_veto_leaves_file_and_node_as_they_were(home: Path) -> None:
    port = free_port()
    written(home, f'[local]\nport = {port}\nexpose_host = "127.0.0.2"\nexpose_port = 0  # any\n')
    with running_node(home, flags=()) as node:
        before = all_of(node)
        public = node.thorp("config", "set", "local.host", "0.0.0.0")
        assert public.returncode == 8
        assert public.stderr.startswith("Nothing was changed: `local.host` 0.0.0.0 can be reached from outside")
        assert "`thorp expose`" in public.stderr
        same = node.thorp("config", "set", "local.expose_port", str(port))
        assert same.returncode == 8
        assert same.stderr.startswith(f"Nothing was changed: `local.expose_port` {port} is `local.port` too")
        taken = node.owner().request("PUT", "/api/v1/config/local.expose_host", {"value": "203.0.113.7"})
        assert taken.data["error"]["code"] == "net.no_such_address"  # not objected to, but could not be followed
        [exposed] = [row["address"] for row in node.status()["listeners"] if row["kind"] == "exposed"]
        assert exposed.rpartition(":")[0] == "https://127.0.0.2"
        assert all_of(node)[0] == before[0]
        assert all_of(node)[2] == before[2]


def test_a_file_edited_by_hand_counts_after_a_reload_and_not_before(node: NodeProcess) -> None:
    watched = node.watch()
    node.paths.config_file.write_text('[node]\nname = "loft"\n[models]\ndir = "/elsewhere"\n')
    assert node.status()["node"]["name"] != "loft"
    answer = node.owner().request("POST", "/api/v1/config/reload")
    assert (answer.status, answer.data["applied"]) == (200, ["node.name"])
    assert answer.data["needs_restart"] == ["models.dir"]
    assert watched.change("config.changed")["keys"] == ["node.name"]
    assert node.status()["node"]["name"] == "loft"

    node.paths.config_file.write_text('[node]\nnane = "cellar"\n')
    wrong = node.owner().request("POST", "/api/v1/config/reload")
    assert wrong.status == 400
    assert "Did you mean `node.name`?" in wrong.data["error"]["message"]
    assert node.status()["node"]["name"] == "loft"


def test_an_editor_changes_a_running_node_and_a_mistake_is_not_taken(node: NodeProcess, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text('#!/bin/sh\nprintf "[node]\\nname = \\"shed\\"\\n" > "$1"\n')
    bad.write_text('#!/bin/sh\nprintf "[node]\\nnam = 1\\n" > "$1"\n')
    for editor in (good, bad):
        editor.chmod(0o700)
    told = node.thorp("config", "edit", EDITOR=str(good))
    assert (told.returncode, told.stderr) == (0, "Applied: node.name.\n")
    assert node.status()["node"]["name"] == "shed"
    refused = node.thorp("config", "edit", EDITOR=str(bad))
    assert refused.returncode == 2
    assert "Did you mean `node.name`?" in refused.stderr
    assert node.paths.config_file.read_text() == '[node]\nname = "shed"\n'
