from typing import Any

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from thorp.cli.when import when
from thorp.wire.capabilities.sessions import EndedAnswer, SessionsAnswer, SessionsEnd

THIS: dict[str, Any] = {
    "id": "s4q7m2x9a",
    "created": "2026-11-20T10:00:00.000Z",
    "expires": "2026-12-20T10:00:00.000Z",
    "this": True,
}
OLD = THIS | {"id": "s00000001", "this": False}
LOST = THIS | {"id": "s00000002", "this": False}
END = ("POST", "/api/v1/sessions/end")


@pytest.fixture
def sessions(node: FakeNode) -> FakeNode:
    node.says("GET", "/api/v1/sessions", {"sessions": [OLD, LOST, THIS]})
    node.says("DELETE", "/api/v1/sessions/s00000002", {"ended": ["s00000002"]})
    node.says(*END, {"ended": ["s00000001", "s00000002"]})
    return node


def asked_to_do(node: FakeNode) -> list[tuple[str, str]]:
    """What a node was asked besides questions."""
    return [(asked.method, asked.path) for asked in node.asked if asked.method != "GET"]


def test_sessions_are_listed(thorp: Thorp, sessions: FakeNode) -> None:
    titles, *rows = (line.split() for line in thorp("sessions", "list").out.splitlines())

    assert titles == ["id", "created", "expires", "this"]
    assert [(row[0], row[5:]) for row in rows] == [("s00000001", []), ("s00000002", []), ("s4q7m2x9a", ["yes"])]
    assert rows[0][1:5] == f"{when(THIS['created'])} {when(THIS['expires'])}".split()
    assert thorp("sessions", "list", "--json").json == {"sessions": [OLD, LOST, THIS]}
    sessions.says("GET", "/api/v1/sessions", {"sessions": []})
    assert "No browser is signed in" in thorp("sessions", "list").err


def test_the_answers_here_are_those_that_nodes_give() -> None:
    SessionsAnswer.model_validate({"sessions": [OLD, LOST, THIS]}, strict=False)
    EndedAnswer.model_validate({"ended": ["s00000001"]}, strict=False)


def test_a_session_is_ended_when_that_was_confirmed(thorp: Thorp, sessions: FakeNode) -> None:
    assert thorp("sessions", "end", "s00000002", "--yes").out == "Ended the session s00000002.\n"
    assert asked_to_do(sessions) == [("DELETE", "/api/v1/sessions/s00000002")]
    assert thorp("-q", "sessions", "end", "s00000002", "--yes").out == ""
    assert thorp("sessions", "end", "s00000002", "--yes", "--json").json == {"ended": ["s00000002"]}


def test_the_others_are_ended_in_one_call(thorp: Thorp, sessions: FakeNode) -> None:
    assert thorp("sessions", "end", "--others", "--yes").out == "Ended 2 sessions (s00000001, s00000002).\n"
    assert asked_to_do(sessions) == [END]
    assert SessionsEnd.model_validate(sessions.asked[-1].body) == SessionsEnd(others=True)


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (("s00000002",), "End the session s00000002?"),
        (("--others",), "End 2 sessions (s00000001, s00000002)?"),
    ],
)
def test_nothing_is_ended_without_a_yes(
    thorp: Thorp, sessions: FakeNode, words: tuple[str, ...], question: str
) -> None:
    found = thorp("sessions", "end", *words)

    assert found.code == 2
    assert question in found.err
    assert "--yes" in found.err
    assert asked_to_do(sessions) == []


def test_a_dry_run_says_what_would_end_and_does_nothing(thorp: Thorp, sessions: FakeNode) -> None:
    assert thorp("sessions", "end", "s00000002", "--dry-run").out == "Would end the session s00000002.\n"
    assert thorp("sessions", "end", "--others", "--dry-run", "--json").json == {"would_end": [OLD, LOST]}
    sessions.says("GET", "/api/v1/sessions", {"sessions": [THIS]})
    assert thorp("sessions", "end", "--others", "--dry-run").out == "Would end no session.\n"
    assert asked_to_do(sessions) == []


@pytest.mark.parametrize("words", [(), ("s00000002", "--others")])
def test_exactly_one_of_both_is_to_be_named(thorp: Thorp, sessions: FakeNode, words: tuple[str, ...]) -> None:
    found = thorp("sessions", "end", *words, "--yes", "--json")

    assert (found.code, found.error["code"]) == (2, "cli.which_session")
    assert sessions.asked == []


def test_an_id_of_no_session_is_not_found(thorp: Thorp, sessions: FakeNode) -> None:
    found = thorp("sessions", "end", "../x", "--yes", "--json")

    assert (found.code, found.error["code"]) == (3, "cli.no_such_session")
    assert asked_to_do(sessions) == []
