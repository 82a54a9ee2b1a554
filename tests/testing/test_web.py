"""A whole web face without a socket."""

import asyncio

from thorp.identity.principals import NOBODY, owner
from thorp.testing.web import WebWorld


def test_it_answers_like_a_node() -> None:
    async def story() -> list[int]:
        world = await WebWorld().opened()
        return [(await world.ask("GET", "/api/v1/status", b"", who)).status for who in (owner(), NOBODY)]

    assert asyncio.run(story()) == [200, 401]
