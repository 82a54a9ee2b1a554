"""One-time codes for who already holds the node, offered on the bus."""

from collections.abc import Callable

from thorp.access.claim import ClaimDesk
from thorp.app.ready import login_url
from thorp.base.moments import rfc3339
from thorp.wire.capabilities.login import LOGIN_CODE, LoginCodeAnswer, LoginCodeAsk
from thorp.wire.capability import Call, Offer


class LoginDesk:
    def __init__(self, desk: ClaimDesk, address: Callable[[], str]) -> None:
        self._desk = desk
        self._address = address

    async def mint(self, call: Call[LoginCodeAsk]) -> LoginCodeAnswer:
        make = self._desk.mint_login_code if self._desk.claimed() else self._desk.claim_code
        code = make(anywhere=call.input.anywhere)
        return LoginCodeAnswer(code=code.text, url=login_url(self._address(), code.text), expires=rfc3339(code.expires))

    def offers(self) -> tuple[Offer, ...]:
        return (Offer(LOGIN_CODE, unary=self.mint),)
