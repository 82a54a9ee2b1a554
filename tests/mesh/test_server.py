import asyncio
import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from thorp.base.tasks import TaskScope
from thorp.mesh.ports import Blob, Shown
from thorp.testing.asgi import Client, Heard
from thorp.testing.mesh import FakeLibrary, FakeNode, House
from thorp.wire.hello import sign_hello
from thorp.wire.household import HouseholdAnswer, bytes_of_text, verify_roster
from thorp.wire.shared import SharedFile, SharedList, SharedModel

CONTENT = bytes(range(256)) * 4096
NAME = hashlib.sha256(CONTENT).hexdigest()
MODEL = SharedModel(
    model_id="m:1b:base:q4_0",
    repo="org/m",
    revision="a" * 40,
    version="main",
    artifact="m",
    format="gguf",
    size_bytes=1,
    added="2026-11-21T09:00:00Z",
    files=(SharedFile(path="m.gguf", size=1, sha256="b" * 64, blob="b" * 64, infohash="c" * 40),),
)
MEMBERS_ONLY = ["household", "models", "torrents/" + "c" * 40, "files/" + NAME]


class Pair:
    """A founder, and a member that greeted it."""

    def __init__(self, tmp_path: Path) -> None:
        self.house = House()
        self.founder, self.member = FakeNode(self.house, 1), FakeNode(self.house, 2)
        self.member.join(self.founder)
        file = tmp_path / "blob"
        file.write_bytes(CONTENT)
        library = self.founder.library
        library.models = (MODEL,)
        library.blobs[NAME] = Blob(str(file), len(CONTENT), shareable=True)
        library.torrents["c" * 40] = b"d4:infoe"
        self.token = self.greet()

    def greet(self) -> str:
        nonce = self.ask("hello", token="").json["nonce"]
        signed = sign_hello(
            self.member.key, self.founder.id, self.founder.household.community, nonce, mesh_port=5, swarm_port=6
        )
        return self.ask("hello", "POST", signed.model_dump_json().encode(), token="").json["token"]

    def client(self, token: str | None = None, **headers: str) -> Client:
        had = self.token if token is None else token
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client(self.founder.app, headers=({"authorization": f"Bearer {had}"} if had else {}) | named)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", token: str | None = None, **headers: str) -> Heard:
        return asyncio.run(self.client(token, **headers).ask(method, f"/mesh/v1/{path}", body))


class Waiting:
    """A library that is slow: it answers once two questions wait and `go` is set."""

    def __init__(self, library: FakeLibrary) -> None:
        self.library = library
        self.waiting = 0
        self.all_wait, self.go = asyncio.Event(), asyncio.Event()

    async def _wait(self) -> None:
        self.waiting += 1
        if self.waiting == 2:
            self.all_wait.set()
        await self.go.wait()

    async def shown(self) -> Shown:
        await self._wait()
        return await self.library.shown()

    async def torrent(self, infohash: str) -> bytes:
        await self._wait()
        return await self.library.torrent(infohash)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_a_member_gets_roster_and_secret(pair: Pair) -> None:
    answer = HouseholdAnswer.model_validate_json(pair.ask("household").body)

    assert verify_roster(answer.household) == pair.founder.household.standing.roster
    assert (answer.epoch, bytes_of_text(answer.secret)) == (1, pair.founder.household.lan.secret)


def test_a_node_without_the_secret_gives_the_roster_alone(pair: Pair) -> None:
    third = FakeNode(pair.house, 3)
    third.join(pair.founder)
    pair.founder.remove(third)
    asyncio.run(pair.member.household.accept_roster(pair.founder.household.standing.signed))

    answer = pair.founder.neighbourhood.household(pair.member.target)
    assert (answer.epoch, answer.secret) == (None, None)
    assert answer.household == pair.founder.household.standing.signed


def test_a_member_gets_the_list_once(pair: Pair) -> None:
    first = pair.ask("models")
    again = pair.ask("models", if_none_match=first.headers["etag"])

    assert SharedList.model_validate_json(first.body) == SharedList(node=pair.founder.id, models=(MODEL,))
    assert (again.status, again.body) == (304, b"")


def test_a_member_gets_torrents(pair: Pair) -> None:
    assert pair.ask("torrents/" + "c" * 40).body == b"d4:infoe"
    assert pair.ask("torrents/" + "d" * 40).status == 404


@pytest.mark.parametrize(
    ("asked", "span"), [("0-0", (0, 1)), ("5-", (5, None)), ("-7", (-7, None)), ("300000-900000", (300000, 900001))]
)
def test_a_member_gets_parts_of_files(pair: Pair, asked: str, span: tuple[int, int | None]) -> None:
    part = pair.ask(f"files/{NAME}", range=f"bytes={asked}")

    assert part.status == 206
    assert part.body == CONTENT[slice(*span)]
    assert int(part.headers["content-length"]) == len(part.body)


def test_a_member_gets_whole_files(pair: Pair) -> None:
    whole = pair.ask(f"files/{NAME}")

    assert (whole.status, whole.body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=9999999-", "bytes=5-4", "bytes=0-1,3-4", "bytes=-0", "bytes=x", "lines=1-2"])
def test_a_range_that_is_none_is_refused(pair: Pair, asked: str) -> None:
    refused = pair.ask(f"files/{NAME}", range=asked)

    assert refused.status == 416
    assert refused.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_what_is_not_shared_looks_like_what_is_not_there(pair: Pair) -> None:
    kept_back = "e" * 64
    pair.founder.library.blobs[kept_back] = Blob("/etc/hostname", 1, shareable=False)

    hidden, missing = pair.ask(f"files/{kept_back}"), pair.ask("files/" + "f" * 64)
    assert (hidden.status, hidden.body) == (missing.status, missing.body)
    assert hidden.status == 404


@pytest.mark.parametrize("token", ["", "A" * 43, "x"])
@pytest.mark.parametrize("path", [*MEMBERS_ONLY, "nothing", ""])
def test_who_is_not_known_gets_one_sentence_for_everything(pair: Pair, path: str, token: str) -> None:
    heard = pair.ask(path, token=token)

    assert heard.status == 401
    assert heard.json["error"]["message"] == "Only members of this household are answered here."


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/status"), ("GET", "/"), ("GET", "/v1/models"), ("GET", "/metrics"), ("POST", "/mesh/v1")],
)
def test_nothing_of_the_owners_api_is_here(pair: Pair, method: str, path: str) -> None:
    assert asyncio.run(pair.client().ask(method, path)).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "models"), ("DELETE", "household"), ("GET", "join"), ("GET", "files/" + "F" * 64), ("GET", "files/../x")],
)
def test_a_member_finds_nothing_elsewhere(pair: Pair, method: str, path: str) -> None:
    assert pair.ask(path, method).status == 404


def test_two_credentials_are_none(pair: Pair) -> None:
    async def ask() -> int:
        sent: list[Any] = []
        scope = pair.client()._scope("GET", "/mesh/v1/household")
        scope["headers"] *= 2

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        await pair.founder.app(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask()) == 401


@pytest.mark.parametrize("path", ["hello", "join"])
def test_a_stranger_sends_no_large_bodies(pair: Pair, path: str) -> None:
    assert pair.ask(path, "POST", b"x" * (16 * 1024 + 1), token="").status == 413


@pytest.mark.parametrize(("path", "method"), [("hello", "GET"), ("hello", "POST"), ("join", "POST")])
def test_strangers_that_ring_too_often_are_put_off(pair: Pair, path: str, method: str) -> None:
    heard = [pair.ask(path, method, b"{}", token="") for _ in range(20)]

    assert heard[-1].status == 429
    assert heard[-1].headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["models", "torrents/" + "c" * 40])
def test_a_member_looks_at_few_lists_and_torrents_at_once(pair: Pair, path: str) -> None:
    async def run() -> list[int]:
        library = Waiting(pair.founder.library)
        pair.founder.app._room = replace(pair.founder.app._room, library=library)
        async with TaskScope("looks") as scope:
            looks = [scope.start("look", pair.client().ask("GET", f"/mesh/v1/{path}")) for _ in range(2)]
            await library.all_wait.wait()
            third = await pair.client().ask("GET", f"/mesh/v1/{path}")
            roster = await pair.client().ask("GET", "/mesh/v1/household")
            library.go.set()
            done = [(await one).status for one in looks]
        again = await pair.client().ask("GET", f"/mesh/v1/{path}")
        return [third.status, roster.status, *done, again.status]

    assert asyncio.run(run()) == [429, 200, 200, 200, 200]


def test_every_call_of_a_member_says_that_it_is_here(pair: Pair) -> None:
    heard = pair.founder.heard
    heard.calls.clear()
    greetings = heard.greetings
    pair.ask("household")

    assert heard.calls == [(pair.member.id, "127.0.0.1", 6, 5)]
    assert heard.greetings == greetings, "its ports are those of its greeting, and may be old"


def test_E67_a_session_ends_with_the_membership(pair: Pair) -> None:
    pair.founder.remove(pair.member)

    assert {pair.ask(path).status for path in MEMBERS_ONLY} == {401}
    assert pair.founder.heard.forgotten == [pair.member.id]


def test_E67_a_file_on_its_way_to_a_removed_member_breaks_off_at_once(pair: Pair) -> None:
    """Also where the other side takes nothing just now, so that no further piece would be sent."""

    async def run() -> tuple[list[Any], BaseException | None]:
        sent: list[Any] = []
        stuck = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.body":
                stuck.set()
                await asyncio.Event().wait()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        scope = pair.client()._scope("GET", f"/mesh/v1/files/{NAME}")
        giving = asyncio.get_running_loop().create_task(pair.founder.app(scope, receive, send))
        await stuck.wait()
        await pair.founder.household.remove(pair.member.id)
        async with asyncio.timeout(5):
            await giving
        return sent, giving.exception()

    sent, error = asyncio.run(run())
    assert error is None
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["more_body"]
    assert not pair.founder.live.running


def test_a_file_that_changed_is_not_given(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(CONTENT[1:])

    assert pair.ask(f"files/{NAME}").status == 422


def test_D43_a_link_is_not_followed(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "blob")
    pair.founder.library.blobs[NAME] = Blob(str(tmp_path / "link"), len(CONTENT), shareable=True)

    assert pair.ask(f"files/{NAME}").status >= 400


def test_a_fault_of_ours_is_logged_and_told_in_one_sentence(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    pair.founder.library.torrents["c" * 40] = None
    with caplog.at_level(logging.ERROR):
        heard = pair.ask("torrents/" + "c" * 40)

    assert heard.status == 500
    assert "GET /mesh/v1/torrents" in caplog.text


def test_other_kinds_of_scopes_get_no_answer(pair: Pair) -> None:
    async def run() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await pair.founder.app({"type": "websocket"}, None, send)
        return sent

    assert asyncio.run(run()) == []
