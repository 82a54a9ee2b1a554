"""What access found out is read back; without it everybody is nobody."""

import pytest
from starlette.requests import Request

from thorp.identity.principals import NOBODY, owner
from thorp.net.facts import LISTENER, PEER, ListenerFacts, PeerFacts
from thorp.web.callers import AnotherUserError, ReadableError, check_sign_in, principal_of, request_id_of


def request(state: dict[str, object], host: str = "localhost") -> Request:
    return Request({"type": "http", "state": state, "headers": [(b"host", host.encode())]})


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
    check_sign_in(request({LISTENER: facts}))


def test_where_others_read_along_no_secret_is_handed_out() -> None:
    with pytest.raises(ReadableError):
        check_sign_in(request({LISTENER: ListenerFacts("exposed")}))


STRANGER = {LISTENER: ListenerFacts("local"), PEER: PeerFacts(same_user=False, stranger=True)}


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8737", "127.0.0.1", "127.8.8.8:8737", "[::1]", "[::1]:8737"])
def test_a_code_is_worth_nothing_to_another_user_of_this_machine(host: str) -> None:
    with pytest.raises(AnotherUserError):
        check_sign_in(request(STRANGER, host))


@pytest.mark.parametrize("host", ["ai.example", "ai.example:443", "192.0.2.7:8737", "[2001:db8::7]:8737", ""])
def test_the_owners_proxy_may_run_as_another_user(host: str) -> None:
    check_sign_in(request(STRANGER, host))


@pytest.mark.parametrize("peer", [PeerFacts(same_user=True), PeerFacts(same_user=None), PeerFacts(same_user=False)])
def test_who_is_not_for_certain_a_stranger_may_sign_in(peer: PeerFacts) -> None:
    check_sign_in(request(STRANGER | {PEER: peer}))
