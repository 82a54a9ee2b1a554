"""Sharing over REST: refs with slashes before a fixed word, and who may."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from thorp.identity.principals import NOBODY, Principal, keyed, owner
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.testing.asgi import Heard
from thorp.testing.web import WebWorld
from thorp.wire.capabilities.models import LIBRARY_REMOVE
from thorp.wire.capabilities.publishing import MODEL_SHARE, MODEL_UNSHARE
from thorp.wire.capability import Call, Done, Offer
from thorp.wire.model import Message

WRITE = keyed("k", frozenset({Scope.MODELS_WRITE}))
NONE = keyed("k", frozenset(EVERY_SCOPE) - {Scope.MODELS_WRITE})


def asked(
    method: str, path: str, body: object = b"", who: Principal | None = None
) -> tuple[Heard, tuple[str, dict[str, Any]] | None]:
    came: list[tuple[str, dict[str, Any]]] = []

    def remembering(capability: Any) -> Any:
        async def unary(call: Call[Any]) -> Message:
            came.append((capability.name, call.input.model_dump(by_alias=True, exclude_unset=True)))
            return capability.answer.model_construct()

        return unary

    async def streamed(call: Call[Any]) -> AsyncGenerator[Message | Done, None]:
        yield Done(await remembering(MODEL_SHARE)(call))

    async def story() -> Heard:
        world = WebWorld()
        await world.bus.register(Offer(MODEL_SHARE, streamed=streamed))
        for capability in (MODEL_UNSHARE, LIBRARY_REMOVE):
            await world.bus.register(Offer(capability, unary=remembering(capability)))
        return await world.ask(method, f"/api/v1/{path}", body, who or owner())

    return asyncio.run(story()), came[0] if came else None


@pytest.mark.parametrize("ref", ["org/repo", "org/repo:q4_k_m", "org/repo@main/x.gguf", "fast", "a:1b:base:q8_0"])
def test_unshare_takes_a_ref_with_its_slashes(ref: str) -> None:
    heard, came = asked("DELETE", f"models/{ref}/share")

    assert (heard.status, came) == (200, ("model.unshare", {"ref": ref}))
    assert asked("DELETE", f"models/{ref}")[1] == ("library.remove", {"ref": ref})


def test_share_takes_what_the_command_line_does() -> None:
    body = {"git": "https://h.example/o/m", "depth": 3, "public": True, "hints": {"top_k": "5"}}
    heard, came = asked("POST", "models/share", body)

    assert (heard.status, came) == (200, ("model.share", body))


@pytest.mark.parametrize(("who", "status"), [(WRITE, 200), (NONE, 403), (NOBODY, 401)])
def test_who_may(who: Principal, status: int) -> None:
    assert asked("POST", "models/share", {"ref": "a"}, who)[0].status == status
    assert asked("DELETE", "models/a/share", b"", who)[0].status == status


def test_health_is_open_under_the_prefix_too() -> None:
    heard, _ = asked("GET", "health", b"", NOBODY)

    assert (heard.status, heard.json) == (200, {"ok": True})
