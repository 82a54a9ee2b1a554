"""What the mesh listener answers: greetings, joining, and to members the roster, lists, torrents and files.

Nothing of the owner's API is here. Who is not a member gets one sentence, and everything that does not exist is a 404.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thorp.access.live import LiveCalls
from thorp.base.clock import Clock
from thorp.base.errors import InternalError, NotFoundError, ThorpError
from thorp.mesh.answers import (
    bearer_of,
    header_of,
    read_body,
    send_bytes,
    send_message,
    send_unchanged,
    send_value,
)
from thorp.mesh.giving import Counter, give, not_shared, wants_part
from thorp.mesh.hello import Doorbell, Session, Sessions, not_known
from thorp.mesh.household import Household
from thorp.mesh.joining import JoinDesk
from thorp.mesh.ports import Heard, Library, Place
from thorp.mesh.types import Turn
from thorp.net.answers import refusal
from thorp.wire.household import HouseholdAnswer, text_of_bytes
from thorp.wire.joining import JoinChallenge

log = logging.getLogger(__name__)

ROOT: Final = "/mesh/v1/"
TORRENT: Final = re.compile(r"torrents/([0-9a-f]{40})")
FILE: Final = re.compile(r"files/([0-9a-f]{64})")
JOINS_AT_ONCE: Final = 4
LOOKS_AT_ONCE: Final = 8  # at the list and at torrents, which are made in memory
LOOKS_AT_ONCE_EACH: Final = 2


class NoSuchPathError(NotFoundError):
    """An address that the mesh does not have."""

    code = "mesh.no_such_path"


Found = TypeVar("Found")
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


def never() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Room:
    """Everything the listener answers with."""

    household: Household
    sessions: Sessions
    joining: JoinDesk
    library: Library
    heard: Heard
    place: Place
    live: LiveCalls
    clock: Clock
    looks: Callable[[], int] = never  # another number whenever something may not be shared any more


def mesh_app(room: Room) -> ASGIApp:
    """The application behind the mesh listener. Watches the household, and cuts off who is not in it any more."""
    server = MeshServer(room)
    room.household.watch(server.turned)
    return server


class MeshServer:
    def __init__(self, room: Room) -> None:
        self._room = room
        self._bell = Doorbell(room.clock)
        self._files = Counter()
        self._looking = Counter(LOOKS_AT_ONCE, LOOKS_AT_ONCE_EACH)
        self._joins = asyncio.Semaphore(JOINS_AT_ONCE)
        self._open: dict[tuple[str, str], Handler] = {
            ("GET", "hello"): self._nonce,
            ("POST", "hello"): self._hello,
            ("POST", "join"): self._join,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, _Reply(send))

    def turned(self, turn: Turn) -> None:
        """A removed member's sessions end, and what it is being given breaks off."""
        for node in turn.gone:
            self._room.sessions.drop(node)
            self._room.live.cut(node, "This node was removed from the household.")
            self._room.heard.forget(node)

    async def _answer(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        try:
            await self._route(scope, receive, reply)
        except ThorpError as error:
            await reply.refuse(error)
        except Exception:  # border: request handler
            log.exception("%s %s failed", scope["method"], scope["path"])
            await reply.refuse(InternalError("Something failed inside this node. Its log has the details."))

    async def _route(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        path, method = scope["path"], scope["method"]
        if not path.startswith(ROOT):
            raise nothing()
        rest = path.removeprefix(ROOT)
        if handler := self._open.get((method, rest)):
            self._bell.ring(address_of(scope), [one.address for one in self._room.heard.around().neighbours])
            await handler(scope, receive, reply)
            return
        session = self._room.sessions.find(bearer_of(scope["headers"]))
        self._note(scope, session, greeted=False)
        with self._room.live.call(session.node) as call:

            async def checked(message: Message) -> None:
                call.check()
                if not self._room.household.is_member(session.node):
                    raise not_known()
                await reply(message)

            await self._to_member(scope, method, rest, session, checked)

    async def _to_member(self, scope: Scope, method: str, rest: str, session: Session, send: Send) -> None:
        if method == "GET" and rest == "household":
            await send_message(send, self._household())
        elif method == "GET" and rest == "models":
            with self._looking.one(session.node):
                await self._models(scope, send)
        elif method == "GET" and (found := TORRENT.fullmatch(rest)):
            with self._looking.one(session.node):
                await send_bytes(send, await _shared(self._room.library.torrent(found[1])), b"application/x-bittorrent")
        elif method == "GET" and (found := FILE.fullmatch(rest)):
            with self._files.one(session.node):
                await self._file(scope, send, found[1])
        else:
            raise nothing()

    async def _nonce(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_message(send, self._room.sessions.nonce())

    async def _hello(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, session = self._room.sessions.greet(await read_body(receive), self._room.place.swarm_port())
        self._note(scope, session, greeted=True)
        await send_message(send, answer)

    async def _join(self, _scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        async with self._joins:
            answer = await self._room.joining.answer(body)
        if not isinstance(answer, JoinChallenge):
            log.info("an invite was used")
        await send_message(send, answer)

    def _household(self) -> HouseholdAnswer:
        now = self._room.household.standing
        if not now.is_current:
            return HouseholdAnswer(household=now.signed)
        return HouseholdAnswer(household=now.signed, epoch=now.lan.epoch, secret=text_of_bytes(now.lan.secret))

    async def _models(self, scope: Scope, send: Send) -> None:
        shown = await self._room.library.shown()
        tag = b'"%s"' % shown.digest.encode("ascii")
        if header_of(scope, b"if-none-match") == tag:
            await send_unchanged(send, [(b"etag", tag)])
            return
        models = [one.model_dump(mode="json") for one in shown.models]
        await send_value(send, {"node": self._room.household.me, "models": models}, [(b"etag", tag)])

    async def _file(self, scope: Scope, send: Send, sha256: str) -> None:
        """While it is on its way the library is asked again after every change."""
        room = self._room
        seen = room.looks()
        blob = await _shared(room.library.blob(sha256))

        async def still() -> None:
            nonlocal seen
            if (now := room.looks()) != seen:
                seen = now
                if not (await _shared(room.library.blob(sha256))).shareable:
                    raise not_shared()

        await give(send, blob, header_of(scope, b"range"), still)

    def _note(self, scope: Scope, session: Session, *, greeted: bool) -> None:
        ports = {"swarm_port": session.swarm_port, "mesh_port": session.mesh_port}
        self._room.heard.note_call(session.node, address_of(scope), **ports, greeted=greeted)


class _Reply:
    """An answer on its way out, which knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        self._begun = self._begun or message["type"] == "http.response.start"
        await self._send(message)

    async def refuse(self, error: ThorpError) -> None:
        """Answer with the error. If an answer has begun, say nothing more: the server then breaks the connection."""
        if self._begun:
            log.info("an answer to a member was broken off: %s", error.message)
            return
        answer = refusal(error)
        headers = [*answer.headers, *wants_part(error)]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})


async def _shared(asked: Awaitable[Found]) -> Found:
    """What the library answers. That it lacks something is told in the words for what it does not share."""
    try:
        return await asked
    except NotFoundError:
        raise not_shared() from None


def nothing() -> NoSuchPathError:
    return NoSuchPathError("There is nothing at this address.")


def address_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
