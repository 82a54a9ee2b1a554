import json
from pathlib import Path

import pytest

from tests.cli.fake_node import FakeNode
from thorp.app.environment import Environment
from thorp.app.lock import HomeLock
from thorp.app.paths import ForeignFolderError, Paths, make_folders, paths_of
from thorp.base.clock import SystemClock
from thorp.base.errors import NetworkError
from thorp.cli.answered import AnsweredError
from thorp.cli.link import (
    IncompleteKeyError,
    NodeStartingError,
    NodeStoppedError,
    StrangeAnswerError,
    live_paths,
    open_link,
)

KEY = f"thorp_k7h3mqx2p_{'s' * 43}"


@pytest.fixture
def paths(home: Path) -> Paths:
    return paths_of(Environment(home=home))


def test_the_owner_speaks_over_the_socket_without_a_key(paths: Paths, node: FakeNode) -> None:
    node.says("POST", "/api/v1/call/x", {"output": {}})

    assert open_link("", "thorp_k7h3mqx2p_secret", paths).ask("POST", "/api/v1/call/x", {"a": "ä"}) == {"output": {}}
    (asked,) = node.asked
    assert asked.body == {"a": "ä"}
    assert "authorization" not in asked.headers


def test_a_node_elsewhere_is_shown_the_key(paths: Paths, elsewhere: FakeNode) -> None:
    elsewhere.says("GET", "/api/v1/node", {"name": "barn"})

    assert open_link(elsewhere.url, KEY, paths).ask("GET", "/api/v1/node") == {"name": "barn"}
    assert elsewhere.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["thorp_k7h3mqx2p_secret", KEY[:-1], f"{KEY} ", f"'{KEY}'", "sk-anything"])
def test_a_part_of_a_key_is_not_shown_to_anybody(paths: Paths, elsewhere: FakeNode, key: str) -> None:
    with pytest.raises(IncompleteKeyError, match="THORP_KEY holds no complete key") as caught:
        open_link(elsewhere.url, key, paths)

    assert caught.value.exit_code == 4
    assert "secret" not in caught.value.message
    assert elsewhere.asked == []


def test_a_refusal_is_raised_in_the_words_of_the_node(paths: Paths, node: FakeNode) -> None:
    node.says("GET", "/api/v1/keys", {"error": {"code": "web.not_allowed", "message": "Not you."}}, status=403)

    with pytest.raises(AnsweredError, match="Not you") as caught:
        open_link("", "", paths).ask("GET", "/api/v1/keys")
    assert caught.value.http_status == 403


@pytest.mark.parametrize("body", [[], "text", None])
def test_an_answer_that_is_no_object_is_strange(paths: Paths, elsewhere: FakeNode, body: object) -> None:
    elsewhere.says("GET", "/api/v1/node", body)

    with pytest.raises(StrangeAnswerError, match=r"is no Thorp node"):
        open_link(elsewhere.url, "", paths).ask("GET", "/api/v1/node")


def test_nobody_at_the_address_is_a_network_error(paths: Paths) -> None:
    with pytest.raises(NetworkError):
        open_link("http://127.0.0.1:1", "", paths).ask("GET", "/api/v1/node")


def test_a_stopped_node_is_told_with_the_remedy(paths: Paths) -> None:
    with pytest.raises(NodeStoppedError, match=r"stopped. Start it with `thorp up`") as caught:
        open_link("", "", paths)
    assert caught.value.exit_code == 3


def test_a_socket_that_a_dead_node_left_is_not_knocked_at(paths: Paths) -> None:
    make_folders(paths)
    paths.socket.touch()
    paths.lock.write_text(json.dumps({"pid": 1, "started": 0, "boot": "other", "since": 0, "home": "", "run": ""}))

    with pytest.raises(NodeStoppedError):
        open_link("", "", paths)


def test_a_node_without_a_socket_yet_is_starting(paths: Paths) -> None:
    make_folders(paths)
    with HomeLock(paths.lock, paths.root, SystemClock()), pytest.raises(NodeStartingError) as caught:
        open_link("", "", paths)
    assert caught.value.exit_code == 75


def test_the_lock_knows_the_run_folder_of_another_session(paths: Paths, tmp_path: Path) -> None:
    make_folders(paths)
    run = tmp_path / "elsewhere"
    run.mkdir(0o700)
    with HomeLock(paths.lock, paths.root, SystemClock()) as lock:
        lock.announce(run=run, address="")

        assert live_paths(paths).socket == run / "api.sock"
        assert live_paths(paths).owner_token == run / "owner.token"


def test_a_run_folder_that_others_may_write_to_is_not_trusted(paths: Paths, node: FakeNode) -> None:
    paths.run.chmod(0o777)

    with pytest.raises(ForeignFolderError):
        open_link("", "", paths)
    assert node.asked == []
