"""What a person types about the household, what is asked of the node for it, and what is shown."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.terminal import on_a_terminal
from thorp.identity.keys import NodeKey
from thorp.wire.capabilities.lan import (
    LanInviteAnswer,
    LanInviteRequest,
    LanJoinAnswer,
    LanJoinRequest,
    LanPeersAnswer,
    LanRemoveAnswer,
    LanStatusAnswer,
)
from thorp.wire.invites import Invite, link_of

MIA, TOM = "ed25519:MMMM", "ed25519:TTTT"
LINK = link_of(Invite(NodeKey(bytes(32)).node_id, "d" * 32, ("192.0.2.7:7080",), b"s" * 16))


def peer(node: str, name: str, **more: Any) -> dict[str, Any]:
    bare = {"node": node, "name": name, "this": False, "founder": False, "since": "2026-11-20T10:00:00.000Z"}
    nowhere = dict.fromkeys(("address", "mesh_port", "swarm_port", "models", "heard_s", "by"))
    return bare | {"here": False} | nowhere | more


HERE = {"here": True, "address": "192.168.7.3", "mesh_port": 7080, "swarm_port": 7081, "by": "packet"}
ME = peer("ed25519:AAAA", "attic", this=True, here=True, founder=True)
NEIGHBOUR = peer(MIA, "mia", **HERE, models=3, heard_s=65.4)
CALLED = peer("ed25519:CCCC", "cleo", **(HERE | {"address": "192.168.7.4", "by": "call"}))
AWAY = peer(TOM, "tom")


def status(**more: Any) -> dict[str, Any]:
    household = {
        "community": "c" * 32,
        "founder": "ed25519:AAAA",
        "founder_name": "attic",
        "founded_here": True,
        "version": 4,
        "epoch": 2,
        "has_secret": True,
        "members": 3,
    } | more.pop("household", {})
    return {
        "node": "ed25519:AAAA",
        "name": "attic",
        "household": household,
        "heard": {"by": "multicast", "why": ""},
        "interfaces": [],
        "neighbours": [],
        "refused": {},
        "notice": "",
    } | more


def nic(name: str, *, multicast: bool | None, broadcast: bool = False, why: str = "") -> dict[str, Any]:
    return {"name": name, "address": "192.168.7.2", "multicast": multicast, "broadcast": broadcast, "why": why}


def wrapped(text: str) -> str:
    """On one line, as if the terminal had no end."""
    return " ".join(text.split())


def asked(node: FakeNode) -> list[tuple[str, str, object]]:
    return [(one.method, one.path, one.body) for one in node.asked]


@pytest.mark.parametrize("words", [["lan"], ["lan", "status"]])
def test_status_says_who_how_and_why_not(thorp: Thorp, node: FakeNode, words: list[str]) -> None:
    answer = status(
        heard={"by": "none", "why": "it is turned off"},
        interfaces=[nic("eth0", multicast=True), nic("wlan0", multicast=False, broadcast=True, why="port taken")],
        neighbours=[NEIGHBOUR, CALLED],
        refused={"stranger": 2, "replayed": 7},
        notice="the mesh listener is closed",
    )
    LanStatusAnswer.model_validate_json(json.dumps(answer))
    node.says("GET", "/api/v1/lan", answer)
    shown = thorp(*words)

    assert shown.code == 0, shown.err
    lines = [wrapped(line) for line in shown.out.splitlines()]
    assert lines == [
        "attic is in a household of 3, founded here",
        "heard by none",
        "because it is turned off",
        "interface eth0 192.168.7.2 multicast works",
        "wlan0 192.168.7.2 no multicast, broadcast; port taken",
        "neighbour mia 192.168.7.3 by packet, 3 models",
        "cleo 192.168.7.4 by call",
        "refused 7 replayed, 2 stranger",
        "epoch 2",
        f"community {'c' * 32}",
        "notice the mesh listener is closed",
    ]
    assert thorp(*words, "--json").json == answer


def test_status_says_what_is_missing_and_leaves_out_what_there_is_nothing_of(thorp: Thorp, node: FakeNode) -> None:
    home = {"founded_here": False, "founder_name": "mia", "has_secret": False}
    node.says("GET", "/api/v1/lan", status(household=home, interfaces=[nic("eth0", multicast=None)]))
    shown = wrapped(thorp("lan", "status").out)

    assert "founded by mia" in shown
    assert "multicast not known yet" in shown
    assert "epoch 2, whose secret is not here yet" in shown
    assert not {"because", "neighbour", "refused", "notice"} & set(shown.split())


def test_E59_names_that_others_chose_move_no_cursor(thorp: Thorp, node: FakeNode) -> None:
    evil = "mia\x1b[2J\r\x9b31m"
    node.says("GET", "/api/v1/lan", status(neighbours=[NEIGHBOUR | {"name": evil}], notice=evil))
    node.says("GET", "/api/v1/lan/peers", {"peers": [AWAY | {"name": evil}]})
    for words in (["lan"], ["lan", "peers"]):
        shown = thorp(*words).out
        assert not set(shown) & set("\x1b\x9b\r")
        assert r"mia\x1b[2J" in shown


def test_peers_shows_those_too_that_are_away(thorp: Thorp, node: FakeNode) -> None:
    answer = {"peers": [ME, NEIGHBOUR, CALLED, AWAY]}
    LanPeersAnswer.model_validate_json(json.dumps(answer))
    node.says("GET", "/api/v1/lan/peers", answer)
    shown = thorp("lan", "peers")
    rows = [wrapped(line) for line in shown.out.splitlines()]

    assert rows[1:] == [
        "attic (founder) this node 2026-11-20 ed25519:AAAA",
        f"mia 1 min 5 s ago 192.168.7.3 3 2026-11-20 {MIA}",
        "cleo yes 192.168.7.4 2026-11-20 ed25519:CCCC",
        f"tom no 2026-11-20 {TOM}",
    ]
    assert thorp("lan", "peers", "--json").json == answer


MADE: dict[str, Any] = {"link": LINK, "expires": "2026-11-21T10:00:00.000Z", "community": "c" * 32}


@pytest.mark.parametrize(("words", "hours"), [([], 24), (["--hours", "168"], 168), (["--hours", "1"], 1)])
def test_an_invite_is_a_link_on_a_line_of_its_own(thorp: Thorp, node: FakeNode, words: list[str], hours: int) -> None:
    LanInviteAnswer.model_validate_json(json.dumps(MADE))
    node.says("POST", "/api/v1/lan/invites", MADE, 201)
    shown = thorp("lan", "invite", *words)

    assert (shown.code, shown.out) == (0, LINK + "\n"), "so that it can be piped; the rest is beside it"
    assert "thorp lan join LINK" in wrapped(shown.err)
    assert asked(node) == [("POST", "/api/v1/lan/invites", {"hours": hours})]
    LanInviteRequest(hours=hours)


@pytest.mark.parametrize("hours", ["0", "169", "x", "-1"])
def test_an_invite_for_no_time_is_refused_before_anybody_is_asked(thorp: Thorp, node: FakeNode, hours: str) -> None:
    assert thorp("lan", "invite", "--hours", hours).code == 2
    assert node.asked == []


def test_a_code_to_photograph_stands_where_it_is_wanted(thorp: Thorp, node: FakeNode) -> None:
    node.says("POST", "/api/v1/lan/invites", MADE, 201)
    drawn = thorp("lan", "invite", "--qr").out
    plain = thorp("lan", "invite", "--no-qr").out

    assert (drawn.endswith(LINK + "\n"), "█" in drawn) == (True, True)
    assert plain == LINK + "\n"
    assert thorp("lan", "invite", "--qr", "--json").json == MADE


def test_on_a_terminal_a_code_is_drawn_by_itself(home: Any, node: FakeNode) -> None:
    node.says("POST", "/api/v1/lan/invites", MADE, 201)

    assert "█" in on_a_terminal(home, "lan", "invite")
    assert "█" not in on_a_terminal(home, "lan", "invite", "--no-qr")


JOINED: dict[str, Any] = {
    "community": "d" * 32,
    "founder": MIA,
    "founder_name": "mia",
    "members": 2,
    "left": None,
}


def joining(node: FakeNode, members: int) -> None:
    node.says("GET", "/api/v1/lan", status(household={"members": members}))
    node.says("POST", "/api/v1/lan/join", JOINED)


def joins(node: FakeNode) -> list[object]:
    bodies = [one.body for one in node.asked if one.path == "/api/v1/lan/join"]
    for one in bodies:
        LanJoinRequest.model_validate(one)
    return bodies


def test_who_is_alone_joins_without_a_question(thorp: Thorp, node: FakeNode) -> None:
    LanJoinAnswer.model_validate(JOINED)
    joining(node, 1)
    shown = thorp("lan", "join", LINK)

    assert shown.code == 0, shown.err
    assert "the household of mia; it has 2 members" in wrapped(shown.out + shown.err)
    assert joins(node) == [{"link": LINK, "yes": False}], "somebody may have joined us meanwhile: that is refused"
    assert thorp("lan", "join", LINK, "--json").json == JOINED


def test_who_would_leave_others_is_asked_and_nothing_happens_without_an_answer(thorp: Thorp, node: FakeNode) -> None:
    joining(node, 3)
    shown = thorp("lan", "join", LINK)

    assert (shown.code, joins(node)) == (2, [])
    assert "a household with 2 other members" in wrapped(shown.err)
    assert "--yes" in shown.err


def test_who_says_yes_leaves_others_without_a_question(thorp: Thorp, node: FakeNode) -> None:
    joining(node, 3)

    assert thorp("lan", "join", LINK, "--yes").code == 0
    assert asked(node) == [("POST", "/api/v1/lan/join", {"link": LINK, "yes": True})]


@pytest.mark.parametrize(("typed", "joined"), [("y\n", [{"link": LINK, "yes": True}]), ("n\n", [])])
def test_the_answer_of_the_person_counts(home: Any, node: FakeNode, typed: str, joined: list[object]) -> None:
    joining(node, 2)
    on_a_terminal(home, "lan", "join", LINK, typed=typed)

    assert joins(node) == joined


def test_what_the_node_refuses_is_told_as_it_is(thorp: Thorp, node: FakeNode) -> None:
    joining(node, 1)
    error = {"code": "invites.bad_link", "fault": "caller", "message": "This link was altered.", "details": {}}
    node.says("POST", "/api/v1/lan/join", {"error": error}, 400)
    shown = thorp("lan", "join", LINK)

    assert shown.code != 0
    assert "This link was altered." in wrapped(shown.err)


def test_what_is_no_link_is_refused_before_anybody_is_asked(thorp: Thorp, node: FakeNode) -> None:
    shown = thorp("lan", "join", "x")

    assert (shown.code, asked(node)) == (2, [])
    assert "no invite" in wrapped(shown.err)


def test_the_same_household_is_no_other_one(thorp: Thorp, node: FakeNode) -> None:
    joining(node, 3)
    node.says("GET", "/api/v1/lan", status(household={"members": 3, "community": "d" * 32}))

    assert thorp("lan", "join", LINK).code == 0
    assert joins(node) == [{"link": LINK, "yes": False}]


REMOVED: dict[str, Any] = {"node": MIA, "name": "mia", "epoch": 3}


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("mia", "mia"),
        (MIA, "ed25519%3AMMMM"),
        ("../../keys", "..%2F..%2Fkeys"),
        ("mia's nöde?", "mia%27s%20n%C3%B6de%3F"),
    ],
)
def test_a_member_is_named_by_whatever_word_and_the_word_stays_one(
    thorp: Thorp, node: FakeNode, word: str, path: str
) -> None:
    LanRemoveAnswer.model_validate(REMOVED)
    node.says("DELETE", f"/api/v1/lan/members/{path}", REMOVED)
    shown = thorp("lan", "remove", word, "--yes")

    assert shown.code == 0, shown.err
    assert "Removed mia; the others get a new secret." in wrapped(shown.out + shown.err)
    assert asked(node) == [("DELETE", f"/api/v1/lan/members/{path}", None)]


def test_nobody_is_removed_without_an_answer(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/lan", status())
    shown = thorp("lan", "remove", "mia")

    assert (shown.code, [method for method, _, _ in asked(node)]) == (2, ["GET"])
    assert "`mia`" in shown.err
    assert "--yes" in shown.err


@pytest.mark.parametrize(("typed", "asked_for"), [("y\n", 1), ("n\n", 0)])
def test_the_person_is_asked_before_somebody_is_cut_off(home: Any, node: FakeNode, typed: str, asked_for: int) -> None:
    node.says("GET", "/api/v1/lan", status())
    node.says("DELETE", "/api/v1/lan/members/mia", REMOVED)
    on_a_terminal(home, "lan", "remove", "mia", typed=typed)

    assert [method for method, _, _ in asked(node)].count("DELETE") == asked_for


def test_who_may_not_remove_is_not_asked_but_told(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/lan", status(household={"founded_here": False}))
    error = {"code": "household.not_founder", "fault": "caller", "message": "Only the founder.", "details": {}}
    node.says("DELETE", "/api/v1/lan/members/mia", {"error": error}, 403)

    assert "Only the founder." in thorp("lan", "remove", "mia").err


@pytest.mark.parametrize(
    "words", [["status"], ["peers"], ["invite"], ["join", LINK], ["remove", "mia", "--yes"]], ids=lambda one: one[0]
)
def test_without_a_node_everything_says_how_to_start_it(thorp: Thorp, words: list[str]) -> None:
    shown = thorp("lan", *words)

    assert shown.code != 0
    assert "thorp up" in shown.err
