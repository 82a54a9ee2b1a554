"""Attack 19: the first claim, and every later sign-in, belongs to who holds the code, once."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.attack_house import FORM, House, house
from tests.e2e.attack_wire import JSON, Answer, Place, as_json, ask, bearer, written
from thorp.testing.process import running_node

TRIES = 10
WRONG = "00000000"


@pytest.fixture
def home(tmp_path: Path) -> Generator[House]:
    with house(tmp_path) as opened:
        yield opened


def claim(place: Place, code: object, verb: str = "claim") -> Answer:
    return ask(place, "POST", f"/api/v1/{verb}", [JSON], as_json({"code": code}))


def by_form(place: Place, code: str) -> Answer:
    return ask(place, "POST", "/plain/claim", [FORM], urlencode({"code": code}).encode())


def code_of(home: House) -> str:
    return str(home.node.ready.code)


def fresh(home: House, *, anywhere: bool = False) -> str:
    return home.owner("POST", "/api/v1/login/codes", {"anywhere": anywhere}).json["code"]


def at_once(place: Place, count: int, request: bytes) -> list[Answer]:
    """The same request on so many connections, all but its last byte sent before any is finished."""
    lines = [place.dial() for _ in range(count)]
    try:
        for line in lines:
            line.say(request[:-1])
        with ThreadPoolExecutor(count) as hands:
            list(hands.map(lambda line: line.say(request[-1:]), lines))
        return [line.hear() for line in lines]
    finally:
        for line in lines:
            line.close()


def raced(home: House, place: Place, code: str, verb: str) -> list[Answer]:
    request = written("POST", f"/api/v1/{verb}", [JSON], as_json({"code": code}), place.authority)
    return at_once(place, 20, request)


@pytest.mark.parametrize("name", ["local", "socket", "exposed"])
def test_A19_of_twenty_claims_at_once_one_wins(home: House, name: str) -> None:
    home.expose()
    code = fresh(home, anywhere=True) if name == "exposed" else code_of(home)
    answers = raced(home, home.places[name], code, "claim")
    won = [answer for answer in answers if answer.status == 201]

    assert len(won) == 1
    assert {answer.status for answer in answers} <= {201, 401, 409}
    assert ask(home.tcp, "GET", "/api/v1/status", [bearer(won[0].json["token"])]).status == 200
    assert home.owner("GET", "/api/v1/claim").json == {"claimed": True}


def test_A19_of_twenty_logins_with_one_code_one_wins(home: House) -> None:
    home.session()
    answers = raced(home, home.tcp, fresh(home), "login")

    assert sorted({answer.status for answer in answers}) == [201, 401]
    assert sum(answer.status == 201 for answer in answers) == 1


def test_A19_forms_and_json_race_for_the_same_single_claim(home: House) -> None:
    code = code_of(home)
    asks: list[Callable[[], Answer]] = [lambda: claim(home.tcp, code), lambda: by_form(home.tcp, code)] * 5
    with ThreadPoolExecutor(10) as hands:
        statuses = [answer.status for answer in hands.map(lambda one: one(), asks)]

    assert sum(status in {201, 303} for status in statuses) == 1


def test_A19_a_claim_stands_for_ever_and_its_code_is_worth_nothing_afterwards(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        code = code_of(home)
        token = claim(home.tcp, code).json["token"]
        for place in home.places.values():
            assert (claim(place, code).status, claim(place, code).code) == (409, "access.already_claimed")
            assert claim(place, code, "login").status == 401
            assert by_form(place, code).status == 401
    with running_node(tmp_path / "n") as again:
        assert again.ready.code is None
        home = House(again)
        assert claim(home.tcp, code).status == 409
        assert claim(home.tcp, fresh(home)).status == 409
        assert ask(home.tcp, "GET", "/api/v1/status", [bearer(token)]).status == 200


def test_A19_a_claim_just_before_a_kill_is_still_the_only_one(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        token = claim(home.tcp, code_of(home)).json["token"]
        home.node.process.kill()
        home.node.process.wait()
    with running_node(tmp_path / "n") as again:
        home = House(again)
        assert home.owner("GET", "/api/v1/claim").json == {"claimed": True}
        assert ask(home.tcp, "GET", "/api/v1/status", [bearer(token)]).status == 200


def test_A19_a_login_code_signs_in_once(home: House) -> None:
    home.session()
    code = fresh(home)

    assert claim(home.tcp, code, "login").status == 201
    assert claim(home.tcp, code, "login").status == 401


@pytest.mark.parametrize("verb", ["claim", "login"])
def test_A19_ten_wrong_codes_burn_the_right_one_from_whatever_side_they_come(home: House, verb: str) -> None:
    if verb == "login":
        home.session()
        home.expose()
    right = fresh(home, anywhere=verb == "login")
    sides = list(home.places.values())
    statuses = [claim(sides[number % len(sides)], WRONG, verb).status for number in range(TRIES)]

    assert statuses == [401] * (TRIES - 1) + [429]
    for place in sides:
        assert (claim(place, right, verb).status, claim(place, right, verb).code) == (429, "access.code_burned")
        assert by_form(place, right).status == 429
    assert claim(home.tcp, fresh(home), verb).status == 201  # the owner's way in is never burned


def test_A19_twenty_guesses_at_once_are_counted_like_one_after_the_other(home: House) -> None:
    request = written("POST", "/api/v1/claim", [JSON], as_json({"code": WRONG}), home.tcp.authority)
    statuses = [answer.status for answer in at_once(home.tcp, 20, request)]

    assert sorted(statuses) == [401] * (TRIES - 1) + [429] * (21 - TRIES)
    assert claim(home.tcp, code_of(home)).status == 429


def test_A19_more_codes_mean_no_more_guesses(home: House) -> None:
    codes = [fresh(home) for _ in range(8)]
    for _ in range(TRIES):
        claim(home.tcp, WRONG)

    assert {claim(home.tcp, code).status for code in codes} == {429}


def test_A19_the_exposed_listener_asks_for_the_code_too(home: House) -> None:
    exposed = home.expose()

    assert ask(exposed, "GET", "/api/v1/claim").json == {"claimed": False}
    assert claim(exposed, WRONG).status == 401
    assert ask(exposed, "POST", "/api/v1/login/codes").status == 401
    assert claim(exposed, fresh(home, anywhere=True)).status == 201


@pytest.mark.parametrize("verb", ["claim", "login"])
def test_A19_a_code_of_the_house_neither_counts_nor_burns_elsewhere(home: House, verb: str) -> None:
    """It was among the arguments of a browser, and who read it there may ask from another machine."""
    exposed = home.expose()
    if verb == "login":
        home.session()
    code = fresh(home)

    assert {claim(exposed, code, verb).status for _ in range(2 * TRIES)} == {401}
    assert {by_form(exposed, code).status for _ in range(TRIES)} == {401}
    assert "thorp open --anywhere" in claim(exposed, code, verb).text
    proxied = ask(home.tcp, "POST", f"/api/v1/{verb}", [JSON, ("Via", "1.1 proxy")], as_json({"code": code}))
    assert proxied.status == 401
    assert claim(home.tcp, code, verb).status == 201


@pytest.mark.parametrize("verb", ["claim", "login"])
def test_A19_nobody_signs_in_where_others_read_along(home: House, verb: str) -> None:
    if verb == "login":
        home.session()
    code, plain = fresh(home, anywhere=True), home.expose(plain=True)

    assert claim(plain, code, verb).status == 403
    assert by_form(plain, code).status == 403
    assert claim(home.tcp, code, verb).status == 201  # and the code was not spent


ODD: list[Any] = [
    "",
    " ",
    None,
    0,
    True,
    [],
    {},
    ["{code}"],
    "{code} OR 1=1",
    "{code}\n",
    "{code}\x00",
    "x" * 10_000,
    "%",
    "________",
    "ÀÁÂÃÄÅÆÇ",
    "00000000" * 8,
]


def test_A19_what_is_no_code_opens_nothing_and_spends_no_try(home: House) -> None:
    right = code_of(home)
    for odd in ODD:
        given = odd.format(code=right[:7]) if isinstance(odd, str) else odd
        assert 400 <= claim(home.tcp, given).status < 500, odd
        if isinstance(given, str):
            assert 400 <= by_form(home.tcp, given).status < 500, odd
    for body in (b"", b"[]", b"{}", as_json({"code": right, "more": 1}), as_json([right])):
        assert ask(home.tcp, "POST", "/api/v1/claim", [JSON], body).status == 400
    assert claim(home.tcp, right).status == 201


def test_A19_the_code_is_shown_to_the_owner_and_kept_nowhere(home: House) -> None:
    code, later = code_of(home), fresh(home)
    claim(home.tcp, WRONG)
    claim(home.tcp, later[:-1] + ("0" if later[-1] != "0" else "1"))
    told = claim(home.tcp, code).text

    assert code not in told
    for secret in (code, later):
        assert secret not in home.written()
        assert secret.encode() not in b"".join(
            file.read_bytes() for file in home.node.paths.data.rglob("*") if file.is_file()
        )
