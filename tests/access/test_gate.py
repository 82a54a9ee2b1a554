import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
import pytest

from thorp.access.budgets import RequestBudgets
from thorp.access.credentials import parse
from thorp.access.gate import Gate
from thorp.base.errors import NotFoundError
from thorp.base.request import current_request
from thorp.base.tasks import TaskScope
from thorp.identity.principals import NOBODY, keyed, local_process, owner
from thorp.identity.scopes import Scope
from thorp.testing.clock import FakeRandomness

App = Callable[[dict, Callable, Callable], Awaitable[None]]
OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


@dataclass
class Place:
    kind: str = "local"
    tls: bool = False
    same_user: bool | None = True
    at_home: bool = True


@dataclass
class Exchange:
    """One request and what came back, as a server sees it."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    query: bytes = b""
    version: str = "1.1"
    place: Place = field(default_factory=Place)
    type: str = "http"
    sent: list[dict] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def scope(self) -> dict:
        return {
            "type": self.type,
            "method": "GET",
            "path": "/x",
            "query_string": self.query,
            "http_version": self.version,
            "headers": self.headers,
            "state": {"thorp.listener": self.place, "thorp.peer": self.place},
        }

    async def receive(self) -> dict:
        await asyncio.Event().wait()

    async def send(self, message: dict) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.begun.set()

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def answer_headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def error(self) -> dict:
        return orjson.loads(self.sent[1]["body"])["error"]

    @property
    def ended_cleanly(self) -> bool:
        return any(one["type"] == "http.response.body" and not one.get("more_body") for one in self.sent)


def bearer(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {text}".encode())]


@dataclass
class Seen:
    """An application that remembers who called."""

    scope: dict = field(default_factory=dict)
    request: str = ""

    async def __call__(self, scope: dict, _receive: Callable, send: Callable) -> None:
        self.scope, self.request = scope, current_request.get()
        await send(OK)
        await send({"type": "http.response.body", "body": b"fine"})

    @property
    def principal(self):
        return self.scope["state"]["thorp.principal"]


async def endless(_scope: dict, _receive: Callable, send: Callable) -> None:
    await send(OK)
    await send({"type": "http.response.body", "body": b"word ", "more_body": True})
    await asyncio.Event().wait()


def gate(house, app: App) -> Gate:
    return Gate(app, house.known, RequestBudgets(house.clock), house.live_calls, house.randomness)


def ask(house, app: App, exchange: Exchange) -> Exchange:
    asyncio.run(gate(house, app)(exchange.scope, exchange.receive, exchange.send))
    return exchange


async def interrupted(house, app: App, exchange: Exchange, cut: Callable[[], Awaitable[object]]) -> None:
    """Run a request until its answer has begun, then do something to its credential, and see it end."""
    async with TaskScope("server") as scope:
        task = scope.start("request", gate(house, app)(exchange.scope, exchange.receive, exchange.send))
        await exchange.begun.wait()
        await cut()
        await task


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(), True),
        (Place("socket"), True),
        (Place(at_home=False), False),
        (Place("exposed", tls=True), False),
    ],
)
def test_the_application_learns_whether_somebody_at_home_asks(house, place: Place, expected: bool) -> None:
    seen = Seen()
    ask(house, seen, Exchange(place=place))
    assert seen.scope["state"]["thorp.at_home"] is expected


def test_the_application_learns_who_calls(house) -> None:
    key = asyncio.run(house.key(Scope.NODE_READ))
    table = [
        (Exchange(), local_process()),
        (Exchange(place=Place("socket")), owner()),
        (Exchange(place=Place("socket"), version="1.0"), NOBODY),
        (Exchange(version="1.0"), NOBODY),
        (Exchange(place=Place("socket", same_user=None)), NOBODY),
        (Exchange(headers=[(b"via", b"1.1 proxy")]), NOBODY),
        (Exchange(headers=bearer(house.owner_token)), owner("o")),
        (Exchange(headers=bearer(key), place=Place("exposed")), keyed(parse(key).id, frozenset({Scope.NODE_READ}))),
        (Exchange(headers=bearer("sk-none-needed")), local_process()),
    ]

    for exchange, expected in table:
        seen = Seen()
        assert ask(house, seen, exchange).status == 200
        assert seen.principal == expected


def test_each_request_has_an_id_that_goes_through(house) -> None:
    seen = Seen()
    exchange = ask(house, seen, Exchange())

    assert len(seen.request) == 24
    assert seen.scope["state"]["thorp.request_id"] == seen.request
    assert exchange.answer_headers[b"x-request-id"] == seen.request.encode()
    assert exchange.answer_headers[b"content-type"] == b"text/plain"
    assert current_request.get() == ""


def test_the_callers_own_id_is_kept(house) -> None:
    seen = Seen()
    exchange = ask(house, seen, Exchange(headers=[(b"x-request-id", b"build-17.4_a")]))

    assert (seen.request, exchange.answer_headers[b"x-request-id"]) == ("build-17.4_a", b"build-17.4_a")


@pytest.mark.parametrize("given", [b"", b"a b", b"a\x1b[31m", b"x" * 65, b"\xff", b"a\r\nb"])
def test_an_id_that_could_do_harm_in_a_log_is_replaced(house, given: bytes) -> None:
    seen = Seen()
    ask(house, seen, Exchange(headers=[(b"x-request-id", given)]))

    assert len(seen.request) == 24


def test_two_ids_are_none(house) -> None:
    seen = Seen()
    ask(house, seen, Exchange(headers=[(b"x-request-id", b"a"), (b"x-request-id", b"b")]))

    assert len(seen.request) == 24


@pytest.mark.parametrize("kind", ["local", "socket", "exposed"])
def test_an_unknown_key_never_reaches_the_application(house, kind: str) -> None:
    seen = Seen()
    exchange = ask(house, seen, Exchange(headers=bearer(f"thorp_k00000000_{'A' * 43}"), place=Place(kind)))

    assert (exchange.status, exchange.error["code"], seen.scope) == (401, "access.unknown_key", {})
    assert exchange.answer_headers[b"www-authenticate"] == b'Bearer realm="thorp"'
    assert exchange.answer_headers[b"content-type"] == b"application/json"
    assert len(exchange.answer_headers[b"x-request-id"]) == 24
    assert exchange.ended_cleanly


def test_A10_two_different_credentials_are_refused(house) -> None:
    texts = [asyncio.run(house.key()) for _ in range(2)]
    seen = Seen()
    exchange = ask(house, seen, Exchange(headers=[*bearer(texts[0]), (b"x-api-key", texts[1].encode())]))

    assert (exchange.status, exchange.error["code"], seen.scope) == (400, "access.two_credentials", {})
    assert b"www-authenticate" not in exchange.answer_headers


def test_keys_share_the_budget_of_the_key_that_made_them(house) -> None:
    maker = asyncio.run(house.key(rpm=3))
    children = [asyncio.run(house.key(rpm=3, made_by=parse(maker).id)) for _ in range(2)]
    server = gate(house, Seen())

    async def all_of_them() -> list[int]:
        exchanges = [Exchange(headers=bearer(one)) for one in (*children, *children, maker)]
        for exchange in exchanges:
            await server(exchange.scope, exchange.receive, exchange.send)
        return [exchange.status for exchange in exchanges]

    assert asyncio.run(all_of_them()) == [200, 200, 200, 429, 429]


def test_a_key_over_its_budget_is_told_when_to_come_back(house) -> None:
    key, seen = asyncio.run(house.key(rpm=2)), Seen()
    server = gate(house, seen)

    async def three() -> list[Exchange]:
        exchanges = [Exchange(headers=bearer(key)) for _ in range(3)]
        for exchange in exchanges:
            await server(exchange.scope, exchange.receive, exchange.send)
        return exchanges

    exchanges = asyncio.run(three())

    assert [one.status for one in exchanges] == [200, 200, 429]
    assert exchanges[2].error["code"] == "access.rate_limited"
    assert exchanges[2].answer_headers[b"retry-after"] == b"30"


def test_A20_a_revoked_key_cuts_its_stream_at_once_and_not_cleanly(house, caplog: pytest.LogCaptureFixture) -> None:
    key = asyncio.run(house.key())
    exchange = Exchange(headers=bearer(key))

    async def revoke() -> None:
        await house.ring.revoke(parse(key).id)
        house.live_calls.cut(parse(key).id, "The key of this call was revoked.")

    with caplog.at_level(logging.INFO):
        asyncio.run(interrupted(house, endless, exchange, revoke))

    assert exchange.status == 200
    assert not exchange.ended_cleanly
    assert house.live_calls.running == 0
    assert "broken off: The key of this call was revoked." in caplog.text
    assert ask(house, Seen(), Exchange(headers=bearer(key))).error["code"] == "access.revoked_key"


def test_A20_an_ended_session_cuts_its_stream_at_once(house) -> None:
    token = asyncio.run(house.login())
    exchange = Exchange(headers=bearer(token))

    asyncio.run(interrupted(house, endless, exchange, lambda: house.desk.end_session(parse(token).id)))

    assert not exchange.ended_cleanly
    assert ask(house, Seen(), Exchange(headers=bearer(token))).error["code"] == "access.session_over"


def test_A20_a_stream_ends_with_the_expiry_of_its_key(house) -> None:
    key = asyncio.run(house.key(expires=house.clock.wall() + 0.01))
    exchange = ask(house, endless, Exchange(headers=bearer(key)))

    assert (exchange.status, exchange.ended_cleanly) == (200, False)


def test_A20_an_application_that_ignores_the_end_sends_nothing_more(house) -> None:
    key = asyncio.run(house.key())

    async def stubborn(_scope: dict, _receive: Callable, send: Callable) -> None:
        await send(OK)
        while True:
            try:
                await send({"type": "http.response.body", "body": b"word ", "more_body": True})
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await send({"type": "http.response.body", "body": b"and one more", "more_body": False})

    async def cut() -> None:
        house.live_calls.cut(parse(key).id, "revoked")

    exchange = Exchange(headers=bearer(key))
    asyncio.run(interrupted(house, stubborn, exchange, cut))

    assert [one.get("body") for one in exchange.sent] == [None, b"word "]


def test_A20_a_call_that_has_not_begun_to_answer_is_refused(house) -> None:
    key = asyncio.run(house.key())
    waiting = asyncio.Event()

    async def slow(_scope: dict, _receive: Callable, _send: Callable) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def story() -> Exchange:
        exchange = Exchange(headers=bearer(key))
        async with TaskScope("server") as scope:
            task = scope.start("request", gate(house, slow)(exchange.scope, exchange.receive, exchange.send))
            await waiting.wait()
            house.live_calls.cut(parse(key).id, "The key of this call was revoked.")
            await task
        return exchange

    exchange = asyncio.run(story())

    assert (exchange.status, exchange.error["code"]) == (401, "access.cut")
    assert exchange.error["message"] == "The key of this call was revoked."


def test_A20_other_credentials_stream_on(house) -> None:
    keys = [asyncio.run(house.key()) for _ in range(2)]

    async def story() -> list[bool]:
        exchanges = [Exchange(headers=bearer(key)) for key in keys]
        async with TaskScope("server") as scope:
            server = gate(house, endless)
            tasks = [scope.start("request", server(one.scope, one.receive, one.send)) for one in exchanges]
            for exchange in exchanges:
                await exchange.begun.wait()
            house.live_calls.cut(parse(keys[0]).id, "revoked")
            await tasks[0]
            return [task.done() for task in tasks]

    assert asyncio.run(story()) == [True, False]


def test_a_logout_gets_its_answer(house) -> None:
    token = asyncio.run(house.login())

    async def logout(scope: dict, _receive: Callable, send: Callable) -> None:
        await house.desk.end_session(scope["state"]["thorp.principal"].credential)
        await asyncio.sleep(0)
        await send(OK)
        await send({"type": "http.response.body", "body": b"bye"})

    exchange = ask(house, logout, Exchange(headers=bearer(token)))

    assert (exchange.status, exchange.ended_cleanly) == (200, True)


def test_an_error_with_a_name_becomes_its_answer(house) -> None:
    async def lost(*_: object) -> None:
        raise NotFoundError("There is no such thing.", thing="x")

    exchange = ask(house, lost, Exchange())

    assert (exchange.status, exchange.error["code"], exchange.error["details"]) == (404, "not_found", {"thing": "x"})


def test_an_unnamed_error_is_logged_and_answered_without_its_text(house, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("inner workings")

    exchange = ask(house, broken, Exchange(headers=[(b"x-request-id", b"r1")]))

    assert (exchange.status, exchange.error["code"]) == (500, "internal")
    assert exchange.error["details"] == {"request": "r1"}
    assert "inner workings" not in repr(exchange.sent)
    assert "ZeroDivisionError: inner workings" in caplog.text


def test_an_error_in_mid_answer_breaks_it_off(house) -> None:
    async def half(_scope: dict, _receive: Callable, send: Callable) -> None:
        await send(OK)
        raise ZeroDivisionError

    exchange = ask(house, half, Exchange())

    assert [one["type"] for one in exchange.sent] == ["http.response.start"]


def test_a_client_that_left_ends_the_call_as_it_would_without_a_gate(house) -> None:
    exchange = Exchange()

    async def story() -> bool:
        async with TaskScope("server") as scope:
            task = scope.start("request", gate(house, endless)(exchange.scope, exchange.receive, exchange.send))
            await exchange.begun.wait()
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

    assert asyncio.run(story())
    assert house.live_calls.running == 0


def test_a_websocket_gets_no_answer(house) -> None:
    seen = Seen()

    assert ask(house, seen, Exchange(type="websocket")).sent == []
    assert seen.scope == {}


def test_lifespan_passes(house) -> None:
    seen = Seen()
    ask(house, seen, Exchange(type="lifespan"))

    assert seen.scope["type"] == "lifespan"


def test_a_connection_nobody_described_is_refused(house) -> None:
    exchange, seen = Exchange(), Seen()
    scope = exchange.scope | {"state": {}}

    asyncio.run(gate(house, seen)(scope, exchange.receive, exchange.send))

    assert (exchange.status, seen.scope) == (500, {})


def test_new_ids_come_from_the_given_chance(house) -> None:
    house.randomness = FakeRandomness(7)
    seen = Seen()
    ask(house, seen, Exchange())

    assert seen.request == FakeRandomness(7).bytes(12).hex()
