"""What access found out is read back; without it everybody is nobody."""

import pytest
from starlette.requests import Request

from thorp.identity.principals import NOBODY, owner
from thorp.net.facts import LISTENER, ListenerFacts
from thorp.web.callers import ReadableError, is_at_home, principal_of, refuse_where_others_read, request_id_of


def request(state: dict[str, object]) -> Request:
    return Request({"type": "http", "state": state, "headers": []})


def test_the_principal_is_the_one_access_set() -> None:
    assert principal_of(request({"thorp.principal": owner()})).is_owner


@pytest.mark.parametrize("state", [{}, {"thorp.principal": None}, {"thorp.principal": "owner"}])
def test_whatever_else_stands_there_is_nobody(state: dict[str, object]) -> None:
    assert principal_of(request(state)) is NOBODY


def test_the_request_id_is_handed_on() -> None:
    assert request_id_of(request({"thorp.request_id": "r1"})) == "r1"
    assert request_id_of(request({})) == ""


@pytest.mark.parametrize("facts", [ListenerFacts("local"), ListenerFacts("socket"), ListenerFacts("exposed", tls=True)])
def test_where_nobody_reads_along_a_secret_may_be_handed_out(facts: ListenerFacts) -> None:
    refuse_where_others_read(request({LISTENER: facts}))


@pytest.mark.parametrize(("state", "expected"), [({}, False), ({"thorp.at_home": True}, True)])
def test_nobody_asks_from_home_unless_access_said_so(state: dict[str, object], expected: bool) -> None:
    assert is_at_home(request(state)) is expected


def test_where_others_read_along_no_secret_is_handed_out() -> None:
    with pytest.raises(ReadableError):
        refuse_where_others_read(request({LISTENER: ListenerFacts("exposed")}))
