"""The gate every request of a local face passes: it gets an id and a principal, or an answer that says why not.

Inside the gate the principal is fixed. When its credential ends meanwhile, the answer ends too: refused if it had not
begun, else broken off without a clean end, so that nobody takes the part for the whole.
"""

import logging
import re
from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thorp.access.budgets import RequestBudgets
from thorp.access.credentials import Headers, read_credentials
from thorp.access.live import LiveCall, LiveCalls
from thorp.access.ports import ListenerFacts, PeerFacts
from thorp.access.who import Known, RequestFacts, identify, is_at_home
from thorp.base.clock import Randomness
from thorp.base.errors import InternalError, ThorpError
from thorp.base.request import current_request
from thorp.identity.principals import Principal
from thorp.wire.envelope import error_body, raw_error_headers
from thorp.wire.passing import was_passed_on

log = logging.getLogger(__name__)

REQUEST_ID: Final = b"x-request-id"
PAGES: Final = "/plain/"
SANE_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Gate:
    def __init__(
        self, app: ASGIApp, known: Known, budgets: RequestBudgets, live_calls: LiveCalls, randomness: Randomness
    ) -> None:
        self._app = app
        self._known = known
        self._budgets = budgets
        self._live_calls = live_calls
        self._randomness = randomness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan passes; whatever else is no plain request (a WebSocket) gets no answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            request_id = given_request_id(scope["headers"]) or self._randomness.bytes(12).hex()
            scope["state"]["thorp.request_id"] = request_id
            before = current_request.set(request_id)
            try:
                await self._answer(scope, receive, Reply(send, request_id))
            finally:
                current_request.reset(before)

    async def _answer(self, scope: Scope, receive: Receive, reply: "Reply") -> None:
        try:
            await self._run(scope, receive, reply)
        except ThorpError as error:
            await reply.refuse(error)
        except Exception:  # border: request handler
            log.exception("%s %s failed", scope["method"], scope["path"])
            await reply.refuse(
                InternalError("Something failed inside this node. Its log has the details.", request=reply.request_id)
            )

    async def _run(self, scope: Scope, receive: Receive, reply: "Reply") -> None:
        facts = facts_of(scope)
        principal = identify(facts, self._known)
        expires = self._spend(principal)
        scope["state"]["thorp.principal"] = principal
        scope["state"]["thorp.at_home"] = is_at_home(facts)
        # From `identify` to here nothing waits, so no revocation slips between them.
        with self._live_calls.call(principal.credential, expires) as call:
            await self._app(scope, receive, reply.during(call))

    def _spend(self, principal: Principal) -> float | None:
        """Charge the request to its key and to those that one descends from. Answers when the credential expires."""
        for key in self._known.keys.line(principal.credential):
            if key.rpm is not None:
                self._budgets.spend(key.id, key.rpm)
        if own := self._known.keys.find(principal.credential):
            return own.expires
        session = self._known.sessions.find(principal.credential)
        return session.expires if session else None


class Reply:
    """An answer on its way out. It carries the request's id and knows whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._begun = False
        self.request_id = request_id

    def during(self, call: LiveCall) -> Send:
        """A `send` for as long as the call's credential lives, even where the application ignores being cancelled."""

        async def send(message: Message) -> None:
            call.check()
            await self.send(message)

        return send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            headers = [*message.get("headers", ()), (REQUEST_ID, self.request_id.encode("ascii"))]
            message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, error: ThorpError) -> None:
        """Answer with the error. If an answer has begun, say nothing more: the server then breaks the connection."""
        if self._begun:
            log.info("the answer was broken off: %s", error.message)
            return
        headers = [(b"content-type", b"application/json"), *raw_error_headers(error)]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": orjson.dumps(error_body(error), default=str)})


def given_request_id(headers: Headers) -> str | None:
    """The caller's own id for this request, where it is one and harmless in a log."""
    given = [value for name, value in headers if name == REQUEST_ID]
    return given[0].decode("ascii") if len(given) == 1 and SANE_REQUEST_ID.fullmatch(given[0]) else None


def facts_of(scope: Scope) -> RequestFacts:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    listener: ListenerFacts = scope["state"]["thorp.listener"]
    peer: PeerFacts = scope["state"]["thorp.peer"]
    return RequestFacts(
        listener=listener.kind,
        tls=listener.tls,
        same_user=peer.same_user,
        at_home=peer.at_home,
        # HTTP/1.0 is what a proxy speaks to what is behind it when nobody told it anything, not even to say who asks.
        forwarded=was_passed_on(name for name, _ in headers) or scope.get("http_version") == "1.0",
        credential=read_credentials(headers),
        pages=scope["path"].startswith(PAGES),
    )
