import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.access.claim import (
    CODE_SECONDS,
    MOST_CODES,
    TRIES,
    AlreadyClaimedError,
    CodeBook,
    CodeBurnedError,
    NotClaimedError,
    WrongCodeError,
    normal,
)
from thorp.access.credentials import CROCKFORD, parse
from thorp.base.tasks import TaskScope

WRONG = "00000000"


def claim(house, code: str, *, at_home: bool = True):
    return asyncio.run(house.desk.claim(code, at_home=at_home))


def login(house, code: str, *, at_home: bool = True):
    return asyncio.run(house.desk.login(code, at_home=at_home))


def test_the_first_code_claims_the_node(house) -> None:
    code = house.desk.claim_code()
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{8}", code.text)
    assert code.expires == house.clock.wall() + CODE_SECONDS
    assert not house.desk.claimed()

    session, token = claim(house, code.text)

    assert house.desk.claimed()
    assert house.sessions.match(parse(token)) == session


def test_a_code_is_kept_as_a_hash_only(house) -> None:
    code = house.desk.claim_code()

    assert code.text.lower() not in repr(house.desk._claim_codes._codes).lower()


def test_A19_of_two_claims_at_once_exactly_one_wins(house) -> None:
    codes = [house.desk.claim_code().text for _ in range(2)]

    async def both():
        return await asyncio.gather(*(house.desk.claim(code, at_home=True) for code in codes), return_exceptions=True)

    results = asyncio.run(both())

    assert sorted(type(one) for one in results if isinstance(one, Exception)) == [AlreadyClaimedError]
    assert len(house.shelves.sessions.sessions()) == 1


def test_A19_of_two_claims_with_the_same_code_at_once_exactly_one_wins(house) -> None:
    code = house.desk.claim_code().text

    async def both():
        claims = (house.desk.claim(code, at_home=True) for _ in range(2))
        return await asyncio.gather(*claims, return_exceptions=True)

    results = asyncio.run(both())

    assert [type(one) for one in results] == [tuple, WrongCodeError]
    assert len(house.shelves.sessions.sessions()) == 1


def test_A19_a_replayed_code_claims_nothing(house) -> None:
    code = house.desk.claim_code().text
    claim(house, code)

    with pytest.raises(AlreadyClaimedError) as caught:
        claim(house, code)
    with pytest.raises(WrongCodeError):
        login(house, code)

    assert (caught.value.code, caught.value.status) == ("access.already_claimed", 409)
    assert len(house.shelves.sessions.sessions()) == 1


def test_A19_an_expired_code_claims_nothing(house) -> None:
    code = house.desk.claim_code().text
    house.clock.advance(CODE_SECONDS)

    with pytest.raises(WrongCodeError, match="None is open now") as caught:
        claim(house, code)

    assert (caught.value.code, caught.value.status) == ("access.wrong_code", 401)
    assert not house.desk.claimed()


def test_A19_a_code_expires_by_time_passing_not_by_the_wall_clock(house) -> None:
    code = house.desk.claim_code().text
    house.clock.set_wall(0.0)
    house.clock.advance(CODE_SECONDS - 1)

    claim(house, code)


def test_A19_ten_wrong_tries_burn_the_code(house) -> None:
    code = house.desk.claim_code().text
    left = []
    for _ in range(TRIES - 1):
        with pytest.raises(WrongCodeError) as caught:
            claim(house, WRONG)
        left.append(caught.value.details["tries_left"])
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1]

    for guess in (WRONG, WRONG, code):
        with pytest.raises(CodeBurnedError, match="`thorp open`") as burned:
            claim(house, guess)

    assert (burned.value.code, burned.value.status) == ("access.code_burned", 429)
    assert not house.desk.claimed()


def test_A19_the_last_try_still_counts(house) -> None:
    code = house.desk.claim_code().text
    for _ in range(TRIES - 1):
        with pytest.raises(WrongCodeError):
            claim(house, WRONG)

    claim(house, code)


def test_A19_a_guesser_cannot_lock_the_owner_out(house) -> None:
    house.desk.claim_code()
    for _ in range(TRIES + 5):
        with pytest.raises((WrongCodeError, CodeBurnedError)):
            claim(house, WRONG)

    claim(house, house.desk.claim_code().text)


def test_A19_a_new_code_gives_the_guesser_no_more_tries_on_the_old_one(house) -> None:
    old = house.desk.claim_code().text
    for _ in range(TRIES - 1):
        with pytest.raises(WrongCodeError):
            claim(house, WRONG)
    new = house.desk.claim_code().text
    with pytest.raises(WrongCodeError):
        claim(house, WRONG)

    with pytest.raises(WrongCodeError):
        claim(house, old)
    claim(house, new)


def test_after_the_claim_no_claim_code_is_made(house) -> None:
    claim(house, house.desk.claim_code().text)

    with pytest.raises(AlreadyClaimedError):
        house.desk.claim_code()


def test_before_the_claim_nobody_logs_in(house) -> None:
    with pytest.raises(NotClaimedError):
        house.desk.mint_login_code()
    with pytest.raises(WrongCodeError):
        login(house, house.desk.claim_code().text)


def test_each_login_code_signs_one_browser_in(house) -> None:
    claim(house, house.desk.claim_code().text)
    codes = [house.desk.mint_login_code().text for _ in range(MOST_CODES)]

    tokens = [login(house, code)[1] for code in codes]

    assert len({house.sessions.match(parse(token)).id for token in tokens}) == MOST_CODES
    for code in codes:
        with pytest.raises(WrongCodeError):
            login(house, code)


def test_a_newer_login_code_takes_the_place_of_the_oldest(house) -> None:
    claim(house, house.desk.claim_code().text)
    codes = [house.desk.mint_login_code().text for _ in range(MOST_CODES + 1)]

    with pytest.raises(WrongCodeError):
        login(house, codes[0])
    for code in codes[1:]:
        login(house, code)


def test_wrong_guesses_count_against_every_live_login_code(house) -> None:
    claim(house, house.desk.claim_code().text)
    codes = [house.desk.mint_login_code().text for _ in range(2)]
    for _ in range(TRIES):
        with pytest.raises((WrongCodeError, CodeBurnedError)):
            login(house, WRONG)

    for code in codes:
        with pytest.raises(CodeBurnedError):
            login(house, code)


def test_a_code_counts_at_home_only_unless_it_was_made_to_count_anywhere(house) -> None:
    here, anywhere = house.desk.claim_code().text, house.desk.claim_code(anywhere=True).text

    with pytest.raises(WrongCodeError, match="--anywhere"):
        claim(house, here, at_home=False)
    claim(house, anywhere, at_home=False)

    here, anywhere = house.desk.mint_login_code().text, house.desk.mint_login_code(anywhere=True).text
    with pytest.raises(WrongCodeError, match="--anywhere"):
        login(house, here, at_home=False)
    login(house, anywhere, at_home=False)
    login(house, here)


def test_a_code_made_to_count_anywhere_counts_at_home_too(house) -> None:
    claim(house, house.desk.claim_code(anywhere=True).text)


def test_from_elsewhere_the_codes_of_the_house_cannot_be_burned(house) -> None:
    here, anywhere = house.desk.claim_code().text, house.desk.claim_code(anywhere=True).text
    for _ in range(2 * TRIES):
        with pytest.raises((WrongCodeError, CodeBurnedError)):
            claim(house, WRONG, at_home=False)

    with pytest.raises(CodeBurnedError):
        claim(house, anywhere, at_home=False)
    claim(house, here)


def test_from_elsewhere_a_right_code_of_the_house_looks_like_any_wrong_one(house) -> None:
    here = house.desk.claim_code().text
    told = []
    for typed in (here, WRONG):
        with pytest.raises(WrongCodeError) as caught:
            claim(house, typed, at_home=False)
        told.append((caught.value.message, caught.value.details))

    assert told[0] == told[1]


def test_a_code_can_be_typed_as_people_type(house) -> None:
    code = house.desk.claim_code().text

    claim(house, f" {code[:4].lower()}-{code[4:]} ".replace("0", "o").replace("1", "L"))


@pytest.mark.parametrize(
    "typed", ["", "1234567", "123456789", "UUUUUUUU", "1234567é", "١٢٣٤٥٦٧٨", "1" * 10_000, "\u017f" * 8]
)
def test_what_cannot_be_a_code_costs_no_try(house, typed: str) -> None:
    house.desk.claim_code()

    with pytest.raises(WrongCodeError) as caught:
        claim(house, typed)

    assert caught.value.details["tries_left"] == TRIES


def test_ending_an_unknown_session_says_so(house) -> None:
    token = asyncio.run(house.login())

    assert asyncio.run(house.desk.end_session(parse(token).id))
    assert not asyncio.run(house.desk.end_session(parse(token).id))
    assert not asyncio.run(house.desk.end_session("s00000000"))


@pytest.mark.parametrize("credential", ["o", "", "k0000000a"])
def test_A20_ending_what_is_no_session_ends_no_call(house, credential: str) -> None:
    async def running(begun: asyncio.Event) -> None:
        with house.live_calls.call(credential):
            begun.set()
            await asyncio.Event().wait()

    async def story() -> int:
        begun = asyncio.Event()
        async with TaskScope("calls") as scope:
            call = scope.start("call", running(begun))
            await begun.wait()
            assert not await house.desk.end_session(credential)
            return call.cancelling()

    assert asyncio.run(story()) == 0


def test_a_code_book_forgets_what_is_over() -> None:
    book = CodeBook()
    for moment in range(20):
        book.put("abcd2345", float(moment), anywhere=False)

    assert len(book._codes) == MOST_CODES
    with pytest.raises(WrongCodeError):
        book.use("abcd2345", CODE_SECONDS * 2, at_home=True)
    assert book._codes == ()


SLIPS = {"0": "0oO", "1": "1iIlL"}


@given(st.data())
def test_every_way_to_type_a_code_is_the_same_code(data: st.DataObject) -> None:
    code = data.draw(st.text(CROCKFORD, min_size=8, max_size=8))
    typed = ""
    for character in code:
        typed += data.draw(st.sampled_from(SLIPS.get(character, character + character.upper())))
        typed += data.draw(st.sampled_from(["", "-", " ", " - "]))

    assert normal(typed) == code


@given(st.text(max_size=100))
def test_any_text_is_a_code_or_none(typed: str) -> None:
    text = normal(typed)

    assert text is None or (len(text) == 8 and normal(text) == text and set(text) <= set(CROCKFORD))
