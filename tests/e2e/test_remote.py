"""The node from another device: with TLS, a key and a compared fingerprint; closed and cut when the owner says so."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from thorp.net.blocking import BlockingClient
from thorp.testing.process import NodeProcess, Watching, free_port, run_thorp, running_node, until

ELSEWHERE = ("--host", "127.0.0.2", "--port", "0")


def exposed(node: NodeProcess, *words: str) -> dict[str, Any]:
    told = node.thorp("expose", *(words or ELSEWHERE), "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def pinned(opened: dict[str, Any]) -> str:
    return f"{opened['address']}#sha256={opened['fingerprint']}"


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """The home of the other device, where no node runs."""
    return tmp_path / "away"


def test_with_the_shown_key_and_fingerprint_another_device_is_served(node: NodeProcess, away: Path) -> None:
    opened = exposed(node)
    assert opened["address"].startswith("https://127.0.0.2:")
    assert opened["key"].startswith(f"thorp_{opened['key_id']}_")
    rows = {row["kind"]: row for row in node.status()["listeners"]}
    assert (rows["exposed"]["address"], rows["exposed"]["state"]) == (opened["address"], "open")
    remote = {"THORP_URL": pinned(opened), "THORP_KEY": opened["key"]}
    seen = json.loads(run_thorp(away, "status", "--json", **remote).stdout)
    assert seen["node"]["id"] == node.ready.node_id
    told = run_thorp(away, "call", "node.echo", '{"text": "over there"}', "--stream", **remote)
    assert told.stdout.splitlines()[-1] == '{"text": "over there", "words": 2}'
    by_option = run_thorp(away, "--node", pinned(opened), "call", "node.info", THORP_KEY=opened["key"])
    assert json.loads(by_option.stdout)["id"] == node.ready.node_id
    assert not away.exists()  # nothing was needed there


def test_the_shown_key_does_not_make_its_holder_the_owner(node: NodeProcess, away: Path) -> None:
    opened = exposed(node)
    remote = {"THORP_URL": pinned(opened), "THORP_KEY": opened["key"]}
    for words in (("down",), ("keys", "list"), ("config", "show"), ("unexpose", "--yes")):
        refused = run_thorp(away, *words, **remote)
        assert refused.returncode == 4, words
    owner_token = node.paths.owner_token.read_text().strip()
    assert run_thorp(away, "status", **remote | {"THORP_KEY": owner_token}).returncode == 4
    assert node.status()["node"]["state"] == "running"


def test_without_the_right_fingerprint_nothing_is_sent(node: NodeProcess, away: Path) -> None:
    opened = exposed(node)
    wrong = opened["fingerprint"][:-1] + ("0" if opened["fingerprint"][-1] != "0" else "1")
    refused = run_thorp(away, "status", THORP_URL=f"{opened['address']}#sha256={wrong}", THORP_KEY=opened["key"])
    assert refused.returncode == 6
    assert "another certificate" in refused.stderr
    unknown = run_thorp(away, "status", THORP_URL=opened["address"], THORP_KEY=opened["key"])
    assert unknown.returncode == 5
    assert "`https://…#sha256=<fingerprint>`" in unknown.stderr
    for told in (refused, unknown):
        assert opened["key"].split("_", 2)[2] not in told.stderr
        assert told.stderr.count("\n") == 1


def test_without_a_key_or_with_a_wrong_one_there_is_no_way_in(node: NodeProcess, away: Path) -> None:
    opened = exposed(node)
    bare = BlockingClient.url(pinned(opened), "").request("GET", "/api/v1/status")
    assert bare.status == 401
    for key in ("", opened["key"][:-1] + ("A" if opened["key"][-1] != "A" else "E"), "sk-anything"):
        refused = run_thorp(away, "status", THORP_URL=pinned(opened), THORP_KEY=key)
        assert refused.returncode == 4
        assert "key" in refused.stderr


def test_revoking_a_key_cuts_what_runs_on_it_at_once(node: NodeProcess) -> None:
    opened = exposed(node)
    client = BlockingClient.url(pinned(opened), opened["key"])
    other = BlockingClient.url(pinned(opened), node.key("node:read")["key"])
    cut, call = (
        Watching(client.events("GET", "/api/v1/stream")),
        Watching(client.events("POST", "/api/v1/call/node.echo", {"input": {"text": "word " * 1_000, "pause_ms": 50}})),
    )
    spared = Watching(other.events("GET", "/api/v1/stream"))
    assert cut.take()
    assert call.take()
    assert spared.take()
    assert node.thorp("keys", "revoke", opened["key_id"], "--yes").returncode == 0
    cut.rest()
    call.rest()
    assert "done" not in {frame.event for frame in call.seen}
    assert spared.change("keys.changed") == {"kind": "keys.changed", "id": opened["key_id"], "what": "revoked"}
    refused = client.request("GET", "/api/v1/status")
    assert (refused.status, refused.data["error"]["code"]) == (401, "access.revoked_key")


def test_unexpose_asks_closes_and_cuts(node: NodeProcess) -> None:
    opened = exposed(node)
    client = BlockingClient.url(pinned(opened), opened["key"])
    stream = Watching(client.events("GET", "/api/v1/stream"))
    watched = node.watch()
    assert stream.take()
    unsure = node.thorp("unexpose")
    assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
    assert node.thorp("unexpose", "--dry-run").stdout == f"Would close {opened['address']}.\n"
    assert client.request("GET", "/api/v1/status").status == 200
    assert node.thorp("unexpose", "--yes").returncode == 0
    assert watched.change("exposure.changed") == {"kind": "exposure.changed", "address": None}
    stream.rest()
    port = int(opened["address"].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))
    assert "exposed" not in {row["kind"] for row in node.status()["listeners"]}
    again = json.loads(node.thorp("unexpose", "--yes", "--json").stdout)
    assert again == {"was_open": False}


def test_exposure_is_a_setting_that_survives_a_restart_with_its_key_and_certificate(home: Path, away: Path) -> None:
    with running_node(home) as node:
        opened = exposed(node, "--host", "127.0.0.2", "--port", str(free_port("127.0.0.2")))
    with running_node(home) as after:
        assert opened["address"] in {row["address"] for row in after.status()["listeners"]}
        remote = {"THORP_URL": pinned(opened), "THORP_KEY": opened["key"]}
        assert run_thorp(away, "status", **remote).returncode == 0
        assert after.thorp("unexpose", "--yes").returncode == 0
    with running_node(home) as closed:
        assert "exposed" not in {row["kind"] for row in closed.status()["listeners"]}


def trouble_with(node: NodeProcess, name: str) -> str:
    """Why a service waits for its next start; nothing while it is well."""
    rows = {row["name"]: row for row in node.status()["services"]}
    return rows[name]["message"] if rows[name]["state"] == "restarting" else ""


def test_a_node_whose_exposed_address_is_gone_starts_and_says_what_is_wrong(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('[local]\nexpose_host = "203.0.113.7"\n')  # a network it is not in
    with running_node(home) as node:
        told = until(lambda: trouble_with(node, "exposure"), "the failure shows")
        assert "cannot listen on 203.0.113.7" in told
        assert "trouble    exposure is " in node.thorp("status").stdout
        opened = exposed(node)
        assert BlockingClient.url(pinned(opened), opened["key"]).request("GET", "/api/v1/status").status == 200


def test_plain_exposure_warns_and_takes_no_login(node: NodeProcess) -> None:
    told = node.thorp("expose", *ELSEWHERE, "--plain")
    assert told.returncode == 0
    assert "Warning: Without TLS everybody on this network can read" in told.stderr
    facts = dict(line.split(maxsplit=1) for line in told.stdout.splitlines() if not line.startswith("key id"))
    assert facts["address"].startswith("http://127.0.0.2:")
    assert "fingerprint" not in facts
    assert "ingerprint" not in told.stderr
    assert BlockingClient.url(facts["address"], facts["key"]).request("GET", "/api/v1/status").status == 200
    code = node.owner().request("POST", "/api/v1/login/codes").data["code"]
    session = node.over_tcp().request("POST", "/api/v1/claim", {"code": code}).data["token"]
    refused = BlockingClient.url(facts["address"], session).request("GET", "/api/v1/status")
    assert (refused.status, refused.data["error"]["code"]) == (401, "access.not_here")


def test_the_exposed_listener_speaks_no_old_tls_and_shows_the_printed_certificate(node: NodeProcess) -> None:
    opened = exposed(node)
    host, _, port = opened["address"].removeprefix("https://").partition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port))) as wire, context.wrap_socket(wire) as secured:
        assert secured.version() in ("TLSv1.2", "TLSv1.3")
    again = exposed(node)
    assert again["fingerprint"] == opened["fingerprint"]  # what people have compared stays
    assert again["key"] != opened["key"]


def test_an_exposure_that_cannot_be_opened_changes_nothing(node: NodeProcess) -> None:
    before = node.owner().request("GET", "/api/v1/config").data
    refused = node.thorp("expose", "--host", "203.0.113.7", "--port", "0")
    assert refused.returncode == 2
    assert "203.0.113.7" in refused.stderr
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = str(other.getsockname()[1])
        taken = node.thorp("expose", "--host", "127.0.0.2", "--port", port)
    assert taken.returncode == 8
    assert "`thorp config set local.expose_port " in taken.stderr
    assert node.owner().request("GET", "/api/v1/config").data == before
    assert node.owner().request("GET", "/api/v1/keys").data == {"keys": []}  # no key without a door
