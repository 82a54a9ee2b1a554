"""Models and transfers over REST: refs with slashes, verbs behind them, who may do what."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import orjson
import pytest

from thorp.identity.principals import NOBODY, Principal, keyed, owner
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.web.routes.models import ROUTES
from thorp.web.table import NounRoute
from thorp.wire.capabilities import models, transfers
from thorp.wire.capability import Call, Capability, Done, Offer
from thorp.wire.changes import KeysChanged, TransferChanged
from thorp.wire.model import Message

T = TypeVar("T")
ULID = "01KAK0000000000000000000ZZ"
READ = keyed("k", frozenset({Scope.MODELS_READ}))
WRITE = keyed("k", frozenset({Scope.MODELS_WRITE}))
MOVE = keyed("k", frozenset({Scope.TRANSFERS_WRITE}))
NONE = keyed("k", frozenset(EVERY_SCOPE) - {Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.TRANSFERS_WRITE})
REFS = [
    "org/repo",
    "org/repo:Q4_K_M",
    "org/repo@rev:q4_k_m",
    "org/repo@feature/x",
    "org/repo/file.gguf",
    "org/repo/deep/file-00001-of-00002.gguf",
    "hf.co/org/repo:Q4_K_M",
    "tiny:1b:base:q4_k_m",
    "fast",
]
ENCODED = [
    ("org%2Frepo%3AQ4_K_M", "org/repo:Q4_K_M"),
    ("org/repo%40rev%3Aq8_0", "org/repo@rev:q8_0"),
    ("org%2frepo%2Ffile.gguf", "org/repo/file.gguf"),
    ("org/repo%20x", "org/repo x"),
    ("m%C3%BCller", "müller"),
]


def told(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(story)


class Asked(WebWorld):
    """Every capability of the routes, offered by somebody who only remembers what came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[str, dict[str, Any]]] = []

    async def offered(self) -> "Asked":
        for capability in {one.capability.id: one.capability for one in ROUTES if isinstance(one, NounRoute)}.values():
            await self.bus.register(self._offer(capability))
        return self

    def _offer(self, capability: Capability) -> Offer:
        def remember(call: Call[Any]) -> Message:
            given = call.input.model_dump(by_alias=True, exclude_unset=True)
            self.came.append((capability.name, given))
            return capability.answer.model_construct()

        async def unary(call: Call[Any]) -> Message:
            return remember(call)

        async def streamed(call: Call[Any]) -> AsyncGenerator[Message | Done, None]:
            yield Done(remember(call))

        return Offer(capability, streamed=streamed) if capability.frames else Offer(capability, unary=unary)


def asked(method: str, path: str, body: object = b"", who: Principal | None = None) -> tuple[Heard, Any]:
    async def story() -> tuple[Heard, Any]:
        world = await Asked().offered()
        heard = await world.ask(method, f"/api/v1/{path}", body, who or owner())
        return heard, world.came[0] if world.came else None

    return told(story())


@pytest.mark.parametrize(("written", "ref"), [(one, one) for one in REFS] + ENCODED)
@pytest.mark.parametrize(
    ("method", "end", "name"),
    [
        ("GET", "", "library.show"),
        ("DELETE", "", "library.remove"),
        ("POST", "/verify", "library.verify"),
        ("POST", "/repair", "library.repair"),
    ],
)
def test_a_ref_takes_its_slashes_along(method: str, end: str, name: str, written: str, ref: str) -> None:
    heard, came = asked(method, f"models/{written}{end}")

    assert (heard.status, came) == (200, (name, {"ref": ref}))


@pytest.mark.parametrize(
    "ref", ["org/verify", "org/repair", "verify/x", "aliases/fast", "org/verify:q4_0", "import/rescan"]
)
def test_the_last_segment_is_a_verb_only_for_its_method(ref: str) -> None:
    assert asked("GET", f"models/{ref}")[1] == ("library.show", {"ref": ref})
    if not ref.startswith("aliases/"):
        assert asked("DELETE", f"models/{ref}")[1] == ("library.remove", {"ref": ref})
    for verb in ("verify", "repair"):
        assert asked("POST", f"models/{ref}/{verb}")[1] == (f"library.{verb}", {"ref": ref})


@pytest.mark.parametrize("word", ["resolve", "download", "verify", "prune", "import", "rescan"])
def test_a_model_called_like_a_word_is_still_shown(word: str) -> None:
    assert asked("GET", f"models/{word}")[1] == ("library.show", {"ref": word})


@pytest.mark.parametrize(
    ("method", "path", "body", "came"),
    [
        ("GET", "hub/search?q=tiny&limit=3", b"", ("hub.search", {"q": "tiny", "limit": 3})),
        ("GET", "models", b"", ("library.list", {})),
        ("POST", "models/resolve", {"ref": "a", "from": "hub"}, ("model.resolve", {"ref": "a", "from": "hub"})),
        ("POST", "models/download", {"ref": "a", "yes": True}, ("model.pull", {"ref": "a", "yes": True})),
        ("POST", "models/verify", b"", ("library.verify", {})),
        ("POST", "models/prune", {"older_than": 5.0}, ("library.prune", {"older_than": 5.0})),
        ("POST", "models/import", {"path": "/x", "copy": True}, ("library.import", {"path": "/x", "copy": True})),
        ("POST", "models/rescan", b"", ("library.rescan", {})),
        ("PUT", "models/aliases/fast", {"ref": "a/b"}, ("library.alias", {"name": "fast", "ref": "a/b"})),
        ("DELETE", "models/aliases/fast", b"", ("library.unalias", {"name": "fast"})),
        ("DELETE", "models/a/b?dry_run=true", b"", ("library.remove", {"ref": "a/b", "dry_run": True})),
        ("GET", "transfers", b"", ("transfer.list", {})),
        ("PUT", "transfers/limit", {"rate": 5}, ("transfer.limit_all", {"rate": 5})),
        ("GET", f"transfers/{ULID}", b"", ("transfer.show", {"id": ULID})),
        ("DELETE", f"transfers/{ULID}?keep_partial=true", b"", ("transfer.cancel", {"id": ULID, "keep_partial": True})),
        ("PUT", f"transfers/{ULID}/pause", b"", ("transfer.pause", {"id": ULID})),
        ("PUT", f"transfers/{ULID}/resume", b"", ("transfer.resume", {"id": ULID})),
        ("PUT", f"transfers/{ULID}/limit", {"rate": 0}, ("transfer.limit", {"id": ULID, "rate": 0})),
        ("PUT", "transfers/limit/limit", {"rate": 0}, ("transfer.limit", {"id": "limit", "rate": 0})),
    ],
)
def test_every_route_asks_for_its_capability(method: str, path: str, body: object, came: object) -> None:
    heard, found = asked(method, path, body)

    assert found == came
    assert heard.status == (202 if path == "models/download" else 200)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "models", "GET"),
        ("PATCH", "models/org/repo", "DELETE, GET"),
        ("POST", "models/org/repo", "DELETE, GET"),
        ("PUT", "models/org/verify", "DELETE, GET, POST"),
        ("PUT", "models/resolve", "DELETE, GET, POST"),
        ("POST", "models/aliases/fast", "DELETE, GET, PUT"),
        ("POST", "transfers", "GET"),
        ("POST", f"transfers/{ULID}", "DELETE, GET"),
        ("POST", "transfers/limit", "DELETE, GET, PUT"),
        ("GET", f"transfers/{ULID}/pause", "PUT"),
    ],
)
def test_a_wrong_method_learns_every_right_one(method: str, path: str, allow: str) -> None:
    heard, came = asked(method, path)

    assert (heard.status, heard.headers["allow"], came) == (405, allow, None)
    assert heard.json["error"]["code"] == "web.wrong_method"


@pytest.mark.parametrize("path", ["models/", "models//verify", "transfers/"])
def test_an_empty_ref_is_none(path: str) -> None:
    heard, came = asked("POST" if path.endswith("verify") else "GET", path)

    assert heard.status in (400, 404)
    assert came is None


def test_the_ref_of_the_address_counts_and_not_one_in_the_body() -> None:
    assert asked("POST", "models/a/b/verify", {"ref": "c/d"})[1] == ("library.verify", {"ref": "a/b"})


SCOPES = {
    READ: {"hub.search", "library.list", "library.show", "model.resolve", "transfer.list", "transfer.show"},
    WRITE: {"model.pull", "library.verify", "library.repair", "library.remove", "library.prune", "library.alias",
            "library.unalias", "library.rescan"},
    MOVE: {"transfer.pause", "transfer.resume", "transfer.cancel", "transfer.limit", "transfer.limit_all"},
    NONE: set(),
}  # fmt: skip


@pytest.mark.parametrize("route", [one for one in ROUTES if isinstance(one, NounRoute)], ids=lambda one: one.path)
def test_a_key_does_what_its_scope_says_and_no_more(route: NounRoute) -> None:
    path = route.path.removeprefix("/api/v1/").replace("{ref:path}", "a/b").replace("{id}", ULID).replace("{name}", "x")
    body = {
        "model.resolve": {"ref": "a"},
        "model.pull": {"ref": "a"},
        "library.alias": {"ref": "a"},
        "library.import": {"path": "/x"},
        "transfer.limit": {"rate": 1},
        "transfer.limit_all": {"rate": 1},
    }.get(route.capability.name, b"")
    path += "?q=x" if route.capability.name == "hub.search" else ""
    for who, may in SCOPES.items():
        heard, came = asked(route.method, path, body, who)
        assert (came is not None) is (route.capability.name in may)
        assert heard.status == (route.status if came else 403)
    assert asked(route.method, path, body, NOBODY)[0].status == 401
    assert asked(route.method, path, body, owner())[0].status == route.status


def test_only_the_owner_imports() -> None:
    assert models.LIBRARY_IMPORT.scope is None
    assert asked("POST", "models/import", {"path": "/x"}, keyed("k", EVERY_SCOPE))[0].status == 403


def a_change(number: int) -> TransferChanged:
    return TransferChanged(
        id=ULID, ref="a/b", model_id="a", repo="a/b", revision="0", state="active", note="", total=9, done=number,
        by_source={"hub": number}, pieces="", rate=0, eta=None, limit=0, created="x", updated="x", here=True,
        error=None,
    )  # fmt: skip


class Streaming(WebWorld):
    async def offered(self) -> "Streaming":
        async def every(_: Call[Any]) -> transfers.TransfersAnswer:
            return transfers.TransfersAnswer(transfers=(), limit=5)

        await self.bus.register(Offer(transfers.TRANSFER_LIST, unary=every))
        return self


def parsed(body: bytes) -> list[tuple[str, str, Any]]:
    blocks = [one for one in body.decode().split("\n\n") if one and not one.startswith(":")]
    fields = [dict(line.split(": ", 1) for line in one.split("\n")) for one in blocks]
    return [(one["event"], one["id"], orjson.loads(one["data"])) for one in fields]


def test_the_stream_begins_with_all_transfers_and_tells_of_nothing_else() -> None:
    async def story() -> list[tuple[str, str, Any]]:
        world = await Streaming().offered()
        client = world.client(READ)
        asking = asyncio.ensure_future(client.ask("GET", "/api/v1/transfers/stream"))
        await client.chunks.get()
        world.announce(KeysChanged(id="a", what="created"))
        world.announce(a_change(1))
        world.announce(a_change(2))
        world.changes.close()
        heard = await asking
        assert heard.headers["content-type"].startswith("text/event-stream")
        return parsed(heard.body)

    (first, *changes) = told(story())
    start = int(first[1].removeprefix("boot-"))
    assert (first[0], first[2]) == ("snapshot", {"transfers": [], "limit": 5})
    assert [(one, two, data["kind"], data["done"]) for one, two, data in changes] == [
        ("change", f"boot-{start + number + 1}", "transfer.changed", number) for number in (1, 2)
    ]


def test_who_comes_back_to_the_stream_gets_the_transfers_it_missed() -> None:
    async def story() -> list[tuple[str, str, Any]]:
        world = await Streaming().offered()
        seen = world.changes.last
        world.announce(KeysChanged(id="a", what="created"))
        world.announce(a_change(1))
        world.changes.close()
        heard = await world.client(READ, Last_Event_ID=f"boot-{seen}").ask("GET", "/api/v1/transfers/stream")
        return parsed(heard.body)

    assert [(one, data["done"]) for one, _, data in told(story())] == [("change", 1)]


@pytest.mark.parametrize(("who", "status"), [(NOBODY, 401), (WRITE, 403), (MOVE, 403), (NONE, 403)])
def test_the_stream_is_for_who_may_read_models(who: Principal, status: int) -> None:
    async def story() -> Heard:
        return await (await Streaming().offered()).ask("GET", "/api/v1/transfers/stream", b"", who)

    assert told(story()).status == status
