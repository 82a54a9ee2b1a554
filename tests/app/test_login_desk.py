"""One-time codes for who already holds the node."""

import asyncio

from thorp.app.login_desk import LoginDesk
from thorp.identity.principals import owner
from thorp.testing.web import WebWorld
from thorp.wire.capabilities.login import LoginCodeAsk
from thorp.wire.capability import Call


def test_before_the_claim_it_is_the_claim_code_and_afterwards_a_login_code() -> None:
    async def story() -> None:
        desk = WebWorld().desk
        login = LoginDesk(desk, lambda: "http://127.0.0.1:1")
        first = await login.mint(Call(LoginCodeAsk(), owner(), "r1"))
        assert first.url == f"http://127.0.0.1:1/#code={first.code}"
        await desk.claim(first.code, at_home=True)
        second = await login.mint(Call(LoginCodeAsk(), owner(), "r2"))
        await desk.login(second.code, at_home=True)
        elsewhere = await login.mint(Call(LoginCodeAsk(anywhere=True), owner(), "r3"))
        await desk.login(elsewhere.code, at_home=False)

    asyncio.run(story())
