"""One-time codes for who already holds the node, offered on the bus."""

from collections.abc import Callable

from thorp.access.claim import ClaimDesk
from thorp.app.ready import login_url
from thorp.base.moments import rfc3339
from thorp.wire.capabilities.login import LOGIN_CODE, LoginCodeAnswer
from thorp.wire.capability import Call, Nothing, Offer


class LoginDesk:
    def __init__(self, desk: ClaimDesk, address: Callable[[], str]) -> None:
        self._desk = desk
        self._address = address

    async def mint(self, _call: Call[Nothing]) -> LoginCodeAnswer:
        code = self._desk.mint_login_code() if self._desk.claimed() else self._desk.claim_code()
        return LoginCodeAnswer(code=code.text, url=login_url(self._address(), code.text), expires=rfc3339(code.expires))

    def offers(self) -> tuple[Offer, ...]:
        return (Offer(LOGIN_CODE, unary=self.mint),)
