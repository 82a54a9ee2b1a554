"""From a line of the table to an ASGI application: floor, then body, then handler while the client is there."""

import logging

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from thorp.base.errors import InternalError, ThorpError
from thorp.bus.dispatch import Order
from thorp.identity.principals import Principal
from thorp.web.answers import Answer, EventStream, error_answer, error_page
from thorp.web.binding import answer_noun, read_already, read_body
from thorp.web.callers import principal_of, request_id_of
from thorp.web.doors import Doors
from thorp.web.sse import ClientGoneError, send_events, while_connected
from thorp.web.table import SMALL, NounRoute, RawRoute, Route, check_floor

log = logging.getLogger(__name__)


class Endpoint:
    """One route, as Starlette mounts it."""

    def __init__(self, route: Route, doors: Doors) -> None:
        self._route = route
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
            if isinstance(answer, EventStream):
                head_only = scope["method"] == "HEAD"
                await send_events(send, receive, answer.events, answer.headers, head_only=head_only)
            else:
                await answer(scope, receive, send)
        except ClientGoneError:
            log.debug("the client of %s %s is gone", scope["method"], scope["path"])

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            asked = Request(scope)
            principal = principal_of(asked)
            body = await read_body(receive, self._room(asked, principal))
            async with while_connected(receive):
                return await self._handled(Request(scope, read_already(body)), principal)
        except ThorpError as error:
            return self._told(error)
        except ClientGoneError:
            raise
        except Exception:
            log.exception("%s %s failed", scope["method"], self._route.path)
            return self._told(InternalError(f"{self._route.path} failed on this node. Its log has the details."))

    def _room(self, asked: Request, principal: Principal) -> int:
        """Who may not use this route is refused before a byte of the body is read; the others may send so many."""
        if (called := self._route.calls(asked)) is not None:
            return self._doors.bus.admit(Order(called, principal)).limits.input_bytes
        check_floor(principal, self._route.floor, self._route.path)
        return SMALL

    async def _handled(self, request: Request, principal: Principal) -> Answer:
        if isinstance(self._route, NounRoute):
            return await answer_noun(self._route, self._doors.bus, request, principal, request_id_of(request))
        return await self._route.handler(self._doors, request)

    def _told(self, error: ThorpError) -> Answer:
        if isinstance(self._route, RawRoute) and self._route.html:
            return error_page(error)
        return error_answer(error)
