"""The owner sees which browsers are signed in, and signs them out from elsewhere: at once, in mid-stream too."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from thorp.testing.process import NodeProcess, Watching


def signed_in(node: NodeProcess) -> str:
    """The token of a fresh session: of the claim at first, then of logins."""
    code = node.owner().request("POST", "/api/v1/login/codes").data["code"]
    verb = "login" if node.status()["claimed"] else "claim"
    answer = node.over_tcp().request("POST", f"/api/v1/{verb}", {"code": code})
    assert answer.status == 201, answer
    return answer.data["token"]


def id_of(token: str) -> str:
    return token.split("_")[1]


def watching(node: NodeProcess, token: str) -> Watching:
    """The stream of changes as a signed-in browser sees it, with its snapshot taken."""
    stream = Watching(node.over_tcp(token).events("GET", "/api/v1/stream"))
    first = stream.take()
    assert first is not None
    assert first.event == "snapshot"
    return stream


@pytest.fixture
def bare(node: NodeProcess) -> Iterator[http.client.HTTPConnection]:
    """http.client tells a stream that was ended from one that was cut."""
    with closing(http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)) as connection:
        yield connection


def test_A20_a_session_that_the_owner_ends_is_cut_in_mid_stream_and_refused_afterwards(
    node: NodeProcess, bare: http.client.HTTPConnection
) -> None:
    lost, kept = signed_in(node), signed_in(node)
    bare.request("GET", "/api/v1/stream", headers={"Authorization": f"Bearer {lost}"})
    stream = bare.getresponse()
    assert stream.readline() == b"event: snapshot\n"
    spared = watching(node, kept)

    listed = json.loads(node.thorp("sessions", "list", "--json").stdout)["sessions"]
    assert [(row["id"], row["this"]) for row in listed] == [(id_of(lost), False), (id_of(kept), False)]
    ended = node.thorp("sessions", "end", id_of(lost), "--yes", "--json")
    assert (ended.returncode, json.loads(ended.stdout)) == (0, {"ended": [id_of(lost)]}), ended.stderr

    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    refused = node.over_tcp(lost).request("GET", "/api/v1/status")
    assert (refused.status, refused.data["error"]["code"]) == (401, "access.session_over")
    assert spared.change("sessions.changed") == {"kind": "sessions.changed", "ended": [id_of(lost)]}
    assert node.over_tcp(kept).request("GET", "/api/v1/status").status == 200


def test_A20_a_session_ends_all_others_and_stays(node: NodeProcess) -> None:
    this, *others = (signed_in(node) for _ in range(3))
    key = node.key("node:read")["key"]
    own, by_key, *cut = (watching(node, token) for token in (this, key, *others))

    answer = node.over_tcp(this).request("POST", "/api/v1/sessions/end", {"others": True})

    assert answer.status == 200
    assert set(answer.data["ended"]) == {id_of(token) for token in others}
    for stream in cut:
        assert stream.rest() == []  # not even told of it: a change in this very moment is no longer theirs
    for stream in (own, by_key):
        assert stream.change("sessions.changed")["ended"] == answer.data["ended"]
    assert [node.over_tcp(token).request("GET", "/api/v1/status").status for token in others] == [401, 401]
    (row,) = node.over_tcp(this).request("GET", "/api/v1/sessions").data["sessions"]
    assert (row["id"], row["this"]) == (id_of(this), True)


def test_only_the_owner_sees_and_ends_sessions_and_once_is_enough(node: NodeProcess) -> None:
    token = signed_in(node)
    key = node.over_tcp(node.key("keys:write", "config:write", "node:read")["key"])
    place = f"/api/v1/sessions/{id_of(token)}"

    refused = [key.request("GET", "/api/v1/sessions"), key.request("DELETE", place)]
    assert [(one.status, one.data["error"]["code"]) for one in refused] == [(403, "bus.unauthorized")] * 2
    assert [node.owner().request("DELETE", place).data for _ in range(2)] == [{"ended": [id_of(token)]}, {"ended": []}]
    assert node.over_tcp(token).request("DELETE", "/api/v1/session").status == 401
    assert node.owner().request("DELETE", "/api/v1/sessions/s0").data["error"]["code"] == "access.no_such_session"
