"""The parts meet: a built node offers everything that is declared."""

import socket
from pathlib import Path

from thorp.testing.process import NodeProcess, running_node, until
from thorp.wire.capabilities import every_capability


def test_every_declared_capability_is_offered_and_listed(tmp_path: Path) -> None:
    with running_node(tmp_path / "home") as node:
        rows = node.owner().request("GET", "/api/v1/capabilities").data["capabilities"]
    assert {row["id"] for row in rows if row["listed"]} == {one.id for one in every_capability()}


def test_the_services_start_below_what_stands_on_them(tmp_path: Path) -> None:
    with running_node(tmp_path / "home") as node:
        status = node.owner().request("GET", "/api/v1/status").data
    assert [row["name"] for row in status["services"]] == [
        "store",
        "household",
        "models",
        "capabilities",
        "socket",
        "local",
        "swarm",
        "showing",
        "public swarm",
        "mesh",
        "announcer",
        "rosters",
        "tracker",
        "mdns",
        "exposure",
    ]
    assert {row["state"] for row in status["services"]} == {"running"}
    assert {row["kind"]: row["state"] for row in status["listeners"]} == {
        "local": "open",
        "socket": "open",
    }
    assert status["node"]["id"] == node.ready.node_id


def test_the_owners_token_is_the_owner_over_tcp_and_a_stranger_is_not(tmp_path: Path) -> None:
    with running_node(tmp_path / "home") as node:
        token = node.paths.owner_token.read_text()
        assert node.paths.owner_token.stat().st_mode & 0o7777 == 0o600
        asked = [node.over_tcp(key).request("GET", "/api/v1/keys").status for key in (token, "", token[:-1] + "!")]
    assert asked == [200, 401, 401]


def test_every_start_has_its_own_owner_token(tmp_path: Path) -> None:
    tokens: set[str] = set()
    for _ in range(2):
        with running_node(tmp_path / "home") as node:
            tokens.add(node.paths.owner_token.read_text())
    assert len(tokens) == 2


def test_what_the_owner_changes_holds_while_a_service_cannot_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        more = {"THORP_SWARM_TRACKER": "true", "THORP_SWARM_TRACKER_PORT": str(taken.getsockname()[1])}
        with running_node(tmp_path / "home", **more) as node:
            until(lambda: state_of(node, "tracker") == "restarting", "the tracker cannot have its port")
            assert node.owner().request("PUT", "/api/v1/config/node.name", {"value": "attic"}).status == 200
            assert node.owner().request("GET", "/api/v1/lan").data["name"] == "attic"


def state_of(node: NodeProcess, service: str) -> str:
    return next(row["state"] for row in node.status()["services"] if row["name"] == service)
