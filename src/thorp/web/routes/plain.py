"""The dashboard's files, and the pages that work without JavaScript."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from thorp.access.credentials import CredentialKind
from thorp.base.errors import NotFoundError, ThorpError
from thorp.identity.scopes import Scope
from thorp.web.answers import page, said
from thorp.web.assets import asset_of
from thorp.web.callers import is_at_home, principal_of, refuse_where_others_read
from thorp.web.doors import Doors
from thorp.web.table import OPEN, OWNER, RawRoute, Route
from thorp.wire.capabilities.node import StatusAnswer
from thorp.wire.changes import NodeClaimed, SessionsChanged
from thorp.wire.envelope import told

LOOK: Final = asset_of(Path(__file__).parent.parent / "plain" / "look.css", hashed=False)
COOKIE: Final = "thorp_session"
NOT_BUILT: Final = (
    "<p>The dashboard was not built into this installation. "
    'What you can use here: <a href="/plain/claim">sign in</a>, <a href="/plain/status">status</a>.</p>'
)


class NoSuchPageError(NotFoundError):
    """An address without a page behind it."""

    code = "web.no_such_page"


async def index(doors: Doors, request: Request) -> Response:
    found = doors.assets.get("index.html")
    return found.answer(request) if found else page("Thorp", NOT_BUILT)


async def asset(doors: Doors, request: Request) -> Response:
    found = doors.assets.get(request.url.path.removeprefix("/"))
    if found is None:
        raise NoSuchPageError("There is no such file.")
    return found.answer(request)


async def look(_doors: Doors, request: Request) -> Response:
    return LOOK.answer(request)


def way_to_a_code(*, claimed: bool, at_home: bool) -> str:
    """Which code counts for who asks, and what shows it. The codes of the house count at home only."""
    if not at_home:
        return "here only one of `thorp open --anywhere` counts, a command for the node's own machine."
    return "`thorp open --print` shows a new one." if claimed else "the terminal that runs `thorp up` shows it."


def claim_form(*, claimed: bool, at_home: bool, problem: str = "") -> str:
    where = way_to_a_code(claimed=claimed, at_home=at_home)
    alert = f'<p role="alert">{said(problem)}</p>' if problem else ""
    return (
        f"{alert}<p>{said(f'Type the one-time code; {where}')}</p>"
        '<form method="post" action="/plain/claim"><label>Code '
        '<input name="code" autocomplete="off" autofocus required maxlength="16"></label> '
        "<button>Sign in</button></form>"
    )


async def claim_page(doors: Doors, request: Request) -> Response:
    claimed = doors.desk.claimed()
    form = claim_form(claimed=claimed, at_home=is_at_home(request))
    return page("Sign in" if claimed else "Claim this node", form)


async def claim(doors: Doors, request: Request) -> Response:
    refuse_where_others_read(request)
    code = parse_qs((await request.body()).decode("ascii", "replace"), max_num_fields=4).get("code", [""])[0]
    was_claimed = doors.desk.claimed()
    enter = doors.desk.login if was_claimed else doors.desk.claim
    at_home = is_at_home(request)
    try:
        session, token = await enter(code, CredentialKind.PAGES, at_home=at_home)
    except ThorpError as error:
        form = claim_form(claimed=was_claimed, at_home=at_home, problem=told(error))
        return page("Not signed in", form, error.status)
    if not was_claimed:
        doors.announce(NodeClaimed())
    answer = RedirectResponse("/plain/status", status_code=303)
    age = int(session.expires - session.created)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=age,
        path="/plain",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{said(cell)}</td>" for cell in cells) + "</tr>"


def table(title: str, heads: tuple[str, ...], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join(rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def status_body(status: StatusAnswer) -> str:
    listeners = (row(f"`{one.address}`", one.state, one.reach) for one in status.listeners)
    services = (row(one.name, one.state, one.message) for one in status.services)
    listed = (
        row(f"`{one.id}`", one.summary, "listed" if one.listed else f"not listed: {one.reason}")
        for one in status.capabilities
    )
    return (
        f"<p>{html.escape(status.node.name)} is {status.node.state}, version {html.escape(status.node.version)}, "
        f"since {html.escape(status.node.started)}.</p>"
        + table("Listeners", ("Address", "State", "For"), listeners)
        + table("Services", ("Service", "State", "Message"), services)
        + table("Capabilities", ("Capability", "What it does", "State"), listed)
        + '<form method="post" action="/plain/leave"><button>Sign out</button></form>'
    )


async def status_page(doors: Doors, _request: Request) -> Response:
    status = doors.report()
    return page(f"{status.node.name}: status", status_body(status))


async def leave(doors: Doors, request: Request) -> Response:
    session_id = principal_of(request).credential
    if session_id and await doors.desk.end_session(session_id):
        doors.announce(SessionsChanged(ended=(session_id,)))
    answer = RedirectResponse("/plain/claim", status_code=303)
    answer.delete_cookie(COOKIE, path="/plain", httponly=True, samesite="strict")
    return answer


ROUTES: tuple[Route, ...] = (
    RawRoute("GET", "/", OPEN, "The dashboard.", index, html=True),
    RawRoute("GET", "/favicon.svg", OPEN, "The mark.", asset, html=True),
    RawRoute("GET", "/assets/{name}", OPEN, "The dashboard's files.", asset, html=True),
    RawRoute("GET", "/plain/look.css", OPEN, "The style of the plain pages.", look, html=True),
    RawRoute("GET", "/plain/claim", OPEN, "Claim or sign in, without JavaScript.", claim_page, html=True),
    RawRoute("POST", "/plain/claim", OPEN, "The form of that page.", claim, html=True),
    RawRoute("GET", "/plain/status", Scope.NODE_READ, "The status, without JavaScript.", status_page, html=True),
    RawRoute("POST", "/plain/leave", OWNER, "Ends the session of the plain pages.", leave, html=True),
)
