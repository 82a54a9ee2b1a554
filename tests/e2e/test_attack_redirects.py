"""Where a hub may lead the shipped `thorp pull` and the routes of a node, whose token it is, and what is told of both.

B24, an answer of the DNS that changes between two looks, is shown in tests/net/test_outward.py, where the resolver is
ours; the names of this machine cannot be made to change.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.attack_front import HALF, SIZE, TOKEN, Front
from tests.e2e.attack_hub import HANDSHAKE, authority, recording, redirecting
from tests.e2e.library_house import RESTING, Home, download, rested, tree
from thorp.testing.hub import FakeHub, Fault, FaultKind, Host, On
from thorp.testing.process import until

SIGNED: Final = ("X-Xet-Cas-Uid", "Key-Pair-Id=", "Signature=", "Policy=", "xet-bridge")
REFUSED: Final = "net.egress_refused"


# B21 to B23: where a redirect may lead


def inside(port: int) -> dict[str, str]:
    """Places that no hub on loopback may send anybody to, in every spelling."""
    return {
        "link-local": "http://169.254.1.1/x",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "metadata of another cloud": "http://100.100.100.200/",
        "private 10": "http://10.0.0.1/",
        "private 172": "http://172.16.0.1/",
        "private 192": f"http://192.168.1.1:{port}/",
        "shared": "http://100.64.0.1/",
        "multicast": "http://224.0.0.1/",
        "broadcast": "http://255.255.255.255/",
        "nothing": f"http://0.0.0.0:{port}/",
        "nothing, IPv6": f"http://[::]:{port}/",
        "mapped": f"http://[::ffff:127.0.0.1]:{port}/",
        "mapped, hex": f"http://[::ffff:7f00:1]:{port}/",
        "compatible": f"http://[::127.0.0.1]:{port}/",
        "link-local, IPv6": f"http://[fe80::1]:{port}/",
        "unique local": f"http://[fd00::1]:{port}/",
        "NAT64": f"http://[64:ff9b::7f00:1]:{port}/",
        "a zone": f"http://[fe80::1%25lo]:{port}/",
        "decimal": f"http://2130706433:{port}/",
        "octal": f"http://0177.0.0.1:{port}/",
        "hexadecimal": f"http://0x7f.0.0.1:{port}/",
        "short": f"http://127.1:{port}/",
        "a dot at the end": f"http://localhost.:{port}/",
        "a dot behind the address": f"http://127.0.0.1.:{port}/",
        "look-alike": f"http://xn--lcalhost-nbh:{port}/",
        "encoded digits": f"http://%31%32%37.0.0.1:{port}/",
        "public by plain http": "http://1.1.1.1/",
    }


def otherwise(port: int) -> dict[str, str]:
    """B22 and B23: other schemes, and what two programs read differently."""
    return {
        "file": "file:///etc/passwd",
        "gopher": f"gopher://127.0.0.1:{port}/_GET",
        "ftp": f"ftp://127.0.0.1:{port}/",
        "data": "data:application/json,{}",
        "ws": f"ws://127.0.0.1:{port}/",
        "unix": "unix:///run/x.sock",
        "javascript": "javascript:alert(1)",
        "user": f"http://a@127.0.0.1:{port}/",
        "user and backslash": f"http://a@b\\@127.0.0.1:{port}/",
        "backslash": f"http://127.0.0.1:{port}\\@evil.example/",
        "two backslashes": f"\\\\127.0.0.1:{port}\\x",
        "slash and backslash": f"/\\127.0.0.1:{port}/x",
        "space in the host": f"http://127.0.0.1 .evil.example:{port}/",
        "tab": f"ht\ttp://127.0.0.1:{port}/",
        "encoded host": f"http://127.0.0.1%2f@evil.example:{port}/",
        "encoded dot": f"http://127%2e0.0.1:{port}/",
        "two ports": f"http://127.0.0.1:{port}:80/",
        "port zero": "http://127.0.0.1:0/",
        "port too large": "http://127.0.0.1:99999/",
        "no host": f"http:///127.0.0.1:{port}/",
        "one slash": f"http:/127.0.0.1:{port}/x",
        "no slash": f"http:127.0.0.1:{port}/x",
        "brackets around a name": f"http://[localhost]:{port}/",
        "an open bracket": f"http://[::1:{port}/",
    }


def test_B21_B22_B23_a_hub_leads_nobody_to_forbidden_places(front: Front) -> None:
    repo, _ = front.offer()
    places = inside(front.beside.port) | otherwise(front.beside.port)
    for what, place in places.items():
        front.hub.faults.clear()
        front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=On.API, value=place, times=None))
        row = front.pulled(repo)
        assert (row["state"], row["status"], row["error"]["code"]) == ("refused", 403, REFUSED), (what, row)
    assert front.beside.first == []
    front.check_nothing(repo)


def test_B21_B22_B23_the_bytes_are_fetched_from_no_forbidden_place(front: Front) -> None:
    repos: dict[str, str] = {}
    for what, place in (inside(front.beside.port) | otherwise(front.beside.port)).items():
        repos[what], name = front.offer()
        front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repos[what], on=On.RESOLVE, value=place, times=None))
        assert name
    begun = {what: download(front.node, repo).data["transfer_id"] for what, repo in repos.items()}
    for what, transfer in begun.items():
        row = rested(front.node, transfer)
        assert (row["state"], row["error"]["code"]) == ("failed", REFUSED), (what, row)
        front.check_nothing(repos[what])
    assert front.beside.first == []


@pytest.mark.parametrize("with_node", [True, False])
def test_B21_a_pull_from_the_terminal_says_why_it_went_nowhere(front: Front, tmp_path: Path, with_node: bool) -> None:
    repo, _ = front.offer()
    value = "http://169.254.169.254/latest/meta-data/?secret=1"
    front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=On.RESOLVE, value=value, times=None))
    home = front.home if with_node else Home(tmp_path / "n", front.hub)
    done = home.thorp("pull", repo)
    assert done.returncode == 4
    assert "169.254.169.254" in done.stderr
    assert "refused" in done.stderr
    assert "secret=1" not in done.stderr


def test_B21_another_place_of_the_same_class_is_asked_when_the_hub_itself_is_on_loopback(front: Front) -> None:
    repo, _ = front.offer()
    for host in ("127.0.0.2", "127.8.8.8", "localhost", "[::1]"):
        place = f"http://{host}:{front.beside.port}/there"
        front.hub.faults.clear()
        front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=On.API, value=place, times=None))
        assert front.pulled(repo)["state"] == "refused"  # there is no such model
        assert front.beside.heads.pop().startswith(b"GET /there HTTP/1.1\r\n"), host
        front.beside.forget()


def test_B22_every_hop_of_a_chain_is_checked(front: Front) -> None:
    repo, _ = front.offer()
    for answer, codes in (
        (redirecting("http://10.0.0.1/"), {REFUSED}),
        (redirecting("file:///etc/passwd"), {REFUSED}),
        (redirecting(f"http://127.0.0.2:{front.beside.port}/"), {"models.bad_hub_answer"}),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", {"models.bad_hub_answer"}),
    ):
        front.beside.answer = answer
        place = f"http://127.0.0.2:{front.beside.port}/"
        front.hub.faults.clear()
        front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=On.API, value=place, times=None))
        assert front.pulled(repo)["error"]["code"] in codes
        assert 1 <= len(front.beside.heads) <= 6
        front.beside.forget()


def test_B22_a_redirect_in_circles_ends(front: Front) -> None:
    repo, _ = front.offer()
    for status in (301, 302, 303, 307, 308):
        front.hub.forget()
        front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=On.API, times=6, status=status))
        row = front.pulled(repo)
        assert (row["status"], row["error"]["code"]) == (502, "models.bad_hub_answer")
        assert len(front.hub.log) <= 6
        front.hub.faults.clear()
    done = front.home.thorp("pull", repo)
    assert done.returncode == 0


def test_B23_refs_that_two_programs_read_differently_ask_nobody(front: Front) -> None:
    port, evil = front.beside.port, "evil.example"
    for ref in (
        f"https://huggingface.co\\@127.0.0.1:{port}/a/b",
        f"https://huggingface.co@127.0.0.1:{port}/a/b",
        f"https://a@b\\@127.0.0.1:{port}/a/b",
        f"https://huggingface.co:443@{evil}/a/b",
        f"https://huggingface.co.{evil}/a/b",
        f"https://{evil}/huggingface.co/a/b",
        f"https://huggingface.co%2f@{evil}/a/b",
        f"https://huggingface.co:{port}/a/b",
        f"http://127.0.0.1:{port}/a/b",
        "http://huggingface.co/a/b",
        "https://huggingface.co/a/..%2f..%2fb",
        "https://huggingface.co/a/b%00c",
        "https://huggingface.co/../../a",
        "//evil.example/a/b",
        "file:///etc/passwd",
        "gopher://127.0.0.1/a/b",
        "hf.co/a/b/../../c",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b\\c",
        "a/b\u202egguf",
        "a/b\x00",
        "a//b",
        "org/..",
        "\uff4frg/rep\uff4f",
    ):
        row = front.pulled(ref)
        assert (row["state"], row.get("status")) == ("refused", 400), (ref, row)
    for ref in (f"https://huggingface.co@127.0.0.1:{port}/a/b", "a/b\\c", "../../etc/passwd"):
        assert front.home.thorp("pull", "--", ref).returncode == 2, ref
    assert front.hub.log == ()
    assert front.beside.first == []


# B25: whose token it is


def test_B25_the_token_reaches_the_hub_and_nobody_else(front: Front) -> None:
    repo, name = front.offer(gated=True)
    front.hub.tokens[TOKEN].add(repo)
    assert front.pulled(repo)["state"] == "done"
    front.check_right(repo, name)
    of_hub = [one for one in front.hub.log if one.host is Host.HUB]
    assert of_hub
    assert all(one.authorization for one in of_hub)
    assert front.hub.bytes_sent(f"{repo}/{name}") == SIZE
    assert front.hub.leaks == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
@pytest.mark.parametrize("on", [On.API, On.RESOLVE])
def test_B25_a_redirect_to_another_origin_takes_no_token_along(front: Front, host: str, on: On) -> None:
    """127.0.0.1 is the hub's own address; another port of it is somebody else."""
    repo, _ = front.offer()
    front.beside.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    place = f"http://{host}:{front.beside.port}/secret"
    front.hub.faults.add(Fault(FaultKind.REDIRECT, repo=repo, on=on, value=place, times=1))
    row = front.pulled(repo)
    assert row["state"] in ("refused", "failed", "done")
    assert len(front.beside.heads) >= 1
    for head in front.beside.heads:
        assert TOKEN.encode() not in head
        assert b"authorization" not in head.lower()
        assert b"cookie" not in head.lower()
    assert any(one.authorization for one in front.hub.log)


# B28: who answers by https


def test_B28_only_a_certificate_that_is_trusted_right_and_in_time_is_spoken_to(tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    cases = {
        "self-signed": trusted.server("self", "127.0.0.1", by_itself=True),
        "of another name": trusted.server("name", "hub.example"),
        "over": trusted.server("over", "127.0.0.1", days=-1),
        "right": trusted.server("right", "127.0.0.1"),
    }
    with FakeHub() as hub:
        for what, context in cases.items():
            with recording(redirecting(hub.url), context) as server:
                variables = {"HF_ENDPOINT": f"https://127.0.0.1:{server.port}", "HF_TOKEN": TOKEN}
                home = Home(tmp_path / "n", hub, variables | {"SSL_CERT_FILE": str(trusted.file)})
                code, error = home.fails("pull", "org/model-7b-GGUF")
                assert server.first
                assert all(one[0] == HANDSHAKE for one in server.first)  # plain http was never tried
                if what == "right":  # it is spoken to, and still leads nobody from https to http
                    assert (code, error["code"]) == (4, REFUSED)
                    assert server.heads
                else:
                    assert (code, error["code"]) == (5, "net.outward_untrusted"), what
                    assert server.heads == []
        assert hub.log == ()


# What is written down and told


def everything_written(home: Path) -> dict[str, bytes]:
    """Logs, records of transfers, receipts, databases, and what the node said on its terminal."""
    found = {name: data for name, data in tree(home).items() if name.startswith(("logs/", "data/", "run/"))}
    return found | {"output": (home.parent / f"{home.name}.output").read_bytes()}


def test_B25_no_token_and_no_signed_link_is_written_or_told(front: Front) -> None:
    said: list[str] = []
    faults: tuple[Callable[[str], Fault], ...] = (
        lambda repo: Fault(FaultKind.SERVER_ERROR, repo=repo, on=On.BYTES, host=Host.CDN, status=500),
        lambda repo: Fault(FaultKind.CUT, repo=repo, after=HALF),
        lambda repo: Fault(FaultKind.MORE_BYTES, repo=repo, length=10),
        lambda repo: Fault(FaultKind.REDIRECT, repo=repo, on=On.BYTES, value="http://10.0.0.1/?Signature=abcdef"),
        lambda repo: Fault(FaultKind.SERVER_ERROR, repo=repo, on=On.BYTES, host=Host.CDN, status=403),
        lambda repo: Fault(FaultKind.REDIRECT, repo=repo, on=On.RESOLVE, value=f"http://{TOKEN}@127.0.0.1/?Policy=x"),
    )
    for fault in faults:
        repo, _ = front.offer(gated=True)
        front.hub.tokens[TOKEN].add(repo)
        front.hub.faults.add(fault(repo))
        done = front.home.thorp("-v", "pull", repo, "--json")
        said += [done.stdout, done.stderr]
        said += [front.home.thorp("-v", *words).stdout for words in (("models", "show", repo, "--json"),)]
    said += [front.home.thorp(*words).stdout for words in (("transfers", "--json"), ("models", "--json"))]
    said.append(json.dumps(front.node.owner().request("GET", "/api/v1/config").data))
    for text in (*(one.encode() for one in said), *everything_written(front.home.folder).values()):
        for secret in (TOKEN, TOKEN[3:], "Authorization: ", *SIGNED):
            assert secret.encode() not in text, secret
    assert len(everything_written(front.home.folder)) > 20
    assert any("failed" in text for text in said)
    assert front.hub.leaks == 0


def test_over_tcp_no_error_tells_in_which_folders_things_lie(front: Front) -> None:
    key = front.node.key("models:read", "models:write", "transfers:write")["key"]
    stranger = front.node.over_tcp(key)
    repo, _ = front.offer()
    front.home.stored(repo).write_text("in the way")
    transfer = stranger.request("POST", "/api/v1/models/download", {"ref": repo}).data["transfer_id"]
    row = until(
        lambda: (
            row if (row := stranger.request("GET", f"/api/v1/transfers/{transfer}").data)["state"] in RESTING else None
        ),
        "the transfer rests",
    )
    answers: list[Any] = [row["error"], stranger.request("GET", "/api/v1/transfers").data]
    for method, path, body in (
        ("GET", "models/nothing", None),
        ("POST", "models/nothing/verify", {}),
        ("POST", "models/nothing/repair", {}),
        ("DELETE", "models/nothing", None),
        ("POST", "models/import", {"path": "/etc/passwd"}),
        ("POST", "models/download", {"ref": "/etc/passwd"}),
        ("PUT", "models/aliases/x", {"ref": "nothing"}),
    ):
        answer = stranger.request(method, f"/api/v1/{path}", body)
        assert answer.status >= 400
        answers.append(answer.data)
    assert row["state"] == "failed"
    for answer in answers:
        assert str(front.home.folder) not in json.dumps(answer)
    front.home.stored(repo).unlink()
