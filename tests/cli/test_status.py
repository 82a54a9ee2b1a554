import copy
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import STATUS, FakeNode
from tests.cli.terminal import on_a_terminal
from thorp.cli.status import facts
from thorp.cli.when import when
from thorp.wire.capabilities.node import StatusAnswer


@pytest.fixture
def answer() -> dict[str, Any]:
    return copy.deepcopy(STATUS)


def shown(answer: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in facts(answer) if key == name and value]


def test_the_status_is_drawn_for_people(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", STATUS)
    found = thorp("status")

    assert found.code == 0
    assert found.out.startswith(f"attic is running since {when('2026-11-20T10:00:00.000Z')} (1 h 2 min)\n")
    for part in ("http://127.0.0.1:8737", "62 MB", "1.5 GB free of unknown", "llm.chat@1.0: no slot is ready"):
        assert part in found.out
    assert "192.0.2.7" not in found.out


def test_the_time_is_that_of_the_persons_zone(home: Path, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", STATUS)

    assert on_a_terminal(home, "status", TZ="XYZ-3:45").startswith("attic is running since 2026-11-20 13:45 (")


def test_with_json_it_is_the_answer_untouched(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/status", STATUS | {"later": 1})

    assert thorp("status", "--json").json == STATUS | {"later": 1}


def test_a_stopped_node_is_exit_code_3(thorp: Thorp) -> None:
    found = thorp("status")

    assert (found.code, found.out) == (3, "")
    assert "`thorp up`" in found.err
    assert thorp("status", "--json").error["code"] == "cli.node_stopped"


def test_the_answer_here_is_one_that_nodes_give(answer: dict[str, Any]) -> None:
    StatusAnswer.model_validate(answer, strict=False)


def test_only_what_needs_a_look_is_mentioned(answer: dict[str, Any]) -> None:
    assert shown(answer, "trouble") == ["announcer is failed: no network"]
    assert shown(answer, "dashboard") == shown(answer, "last run") == shown(answer, "restart") == []
    answer |= {"claimed": False, "stopped_cleanly": False, "config": {"needs_restart": ["local.port", "mesh.port"]}}

    assert shown(answer, "dashboard") == ["not claimed yet; `thorp open` claims it"]
    assert shown(answer, "last run")
    assert shown(answer, "restart") == ["needed for local.port, mesh.port"]
