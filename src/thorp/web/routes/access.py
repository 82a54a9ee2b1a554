"""Keys, the claim, logins and sessions over REST."""

from starlette.requests import Request
from starlette.responses import Response

from thorp.base.errors import NotFoundError
from thorp.base.moments import rfc3339
from thorp.identity.grants import SessionGrant
from thorp.web.answers import json_answer
from thorp.web.binding import entered
from thorp.web.callers import is_at_home, principal_of, refuse_where_others_read
from thorp.web.doors import Doors
from thorp.web.table import OPEN, OWNER, NounRoute, RawRoute, Route
from thorp.wire.capabilities.keys import KEYS_CREATE, KEYS_LIST, KEYS_REVOKE
from thorp.wire.capabilities.login import LOGIN_CODE, CodeEntry
from thorp.wire.capabilities.sessions import SESSIONS_END, SESSIONS_LIST
from thorp.wire.changes import NodeClaimed, SessionsChanged


class NoSessionError(NotFoundError):
    """Signing out without having signed in."""

    code = "web.no_session"


def session_answer(session: SessionGrant, token: str) -> Response:
    return json_answer({"token": token, "expires": rfc3339(session.expires)}, 201)


async def claimed(doors: Doors, _request: Request) -> Response:
    return json_answer({"claimed": doors.desk.claimed()})


async def claim(doors: Doors, request: Request) -> Response:
    refuse_where_others_read(request)
    asked = entered(await request.body(), CodeEntry)
    session, token = await doors.desk.claim(asked.code, at_home=is_at_home(request))
    doors.announce(NodeClaimed())
    return session_answer(session, token)


async def login(doors: Doors, request: Request) -> Response:
    refuse_where_others_read(request)
    asked = entered(await request.body(), CodeEntry)
    return session_answer(*await doors.desk.login(asked.code, at_home=is_at_home(request)))


async def end_session(doors: Doors, request: Request) -> Response:
    session_id = principal_of(request).credential
    if not session_id or not await doors.desk.end_session(session_id):
        raise NoSessionError("This request does not come from a dashboard session, so there is none to end.")
    doors.announce(SessionsChanged(ended=(session_id,)))
    return Response(status_code=204)


ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/keys", KEYS_LIST),
    NounRoute("POST", "/api/v1/keys", KEYS_CREATE, status=201),
    NounRoute("DELETE", "/api/v1/keys/{id}", KEYS_REVOKE),
    NounRoute("GET", "/api/v1/sessions", SESSIONS_LIST),
    NounRoute("POST", "/api/v1/sessions/end", SESSIONS_END),
    NounRoute("DELETE", "/api/v1/sessions/{id}", SESSIONS_END),
    NounRoute("POST", "/api/v1/login/codes", LOGIN_CODE, status=201),
    RawRoute("GET", "/api/v1/claim", OPEN, "Whether this node has an owner's dashboard already.", claimed),
    RawRoute(
        "POST",
        "/api/v1/claim",
        OPEN,
        "Claims the node with the one-time code; works once, for ever.",
        claim,
        request=CodeEntry,
    ),
    RawRoute(
        "POST",
        "/api/v1/login",
        OPEN,
        "Signs a browser in with a one-time code of `thorp open`.",
        login,
        request=CodeEntry,
    ),
    RawRoute("DELETE", "/api/v1/session", OWNER, "Ends the dashboard session that asks.", end_session),
)
