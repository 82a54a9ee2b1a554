import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from thorp.base.moments import rfc3339
from thorp.identity.keys import NodeKey
from thorp.wire.announce import LanKey
from thorp.wire.household import (
    END_OF_TIME,
    BadRosterError,
    BadTextError,
    Member,
    Roster,
    SignedRoster,
    bytes_of_text,
    fit_name,
    secret_digest,
    sign_roster,
    text_of_bytes,
    verify_roster,
)

FOUNDER, OTHER = NodeKey(bytes(32)), NodeKey(bytes([1]) * 32)
LAN = LanKey(1, bytes(32))
ME = Member(node=FOUNDER.node_id, name="attic", since=0)
ROSTER = Roster(community="0" * 32, founder=FOUNDER.node_id, version=1, epoch=1, lan=secret_digest(LAN), members=(ME,))


def test_a_roster_goes_through_json_and_stays_signed() -> None:
    signed = sign_roster(ROSTER, FOUNDER)

    assert verify_roster(SignedRoster.model_validate_json(signed.model_dump_json())) == ROSTER


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"epoch": 2},
        {"lan": "0" * 64},
        {"community": "1" * 32},
        {"members": (ME.model_copy(update={"name": "cellar"}),)},
        {"removed": (OTHER.node_id,)},
        {"founder": OTHER.node_id},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_roster_with_anything_changed_is_refused(change: dict[str, object]) -> None:
    signed = sign_roster(ROSTER, FOUNDER)

    with pytest.raises(BadRosterError):
        verify_roster(signed.model_copy(update={"roster": ROSTER.model_copy(update=change)}))


def test_a_roster_signed_by_somebody_else_is_refused() -> None:
    with pytest.raises(BadRosterError):
        verify_roster(sign_roster(ROSTER, OTHER))


def test_a_signature_made_for_something_else_is_refused() -> None:
    forged = text_of_bytes(FOUNDER.sign("hello", b"anything"))

    with pytest.raises(BadRosterError):
        verify_roster(SignedRoster(roster=ROSTER, signature=forged))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"members": (ME, ME)}, "twice"),
        ({"members": (ME.model_copy(update={"node": OTHER.node_id}),)}, "founder"),
        ({"removed": (FOUNDER.node_id,)}, "removed"),
    ],
)
def test_a_roster_that_contradicts_itself_is_refused_though_it_is_signed(change: dict[str, object], why: str) -> None:
    with pytest.raises(BadRosterError, match=why):
        verify_roster(sign_roster(ROSTER.model_copy(update=change), FOUNDER))


def test_a_node_id_of_a_second_spelling_is_refused() -> None:
    spelled = FOUNDER.node_id[:-1] + chr(ord(FOUNDER.node_id[-1]) + 1)
    stranger = Member(node=spelled, name="twin", since=0)

    with pytest.raises(BadRosterError):
        verify_roster(sign_roster(ROSTER.model_copy(update={"members": (ME, stranger)}), FOUNDER))


def test_the_digest_of_a_secret_depends_on_secret_and_epoch() -> None:
    assert len({secret_digest(LAN), secret_digest(LanKey(2, bytes(32))), secret_digest(LanKey(1, b"x" * 32))}) == 3


@pytest.mark.parametrize("bad", [{"name": "a\nb"}, {"name": ""}, {"name": "x" * 65}, {"since": END_OF_TIME + 1}])
def test_members_with_names_for_terminals_and_times_of_no_calendar_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Member.model_validate({"node": FOUNDER.node_id, "name": "attic", "since": 0} | bad)


@pytest.mark.parametrize("unseen", "\u00ad\u061c\u200b\u200d\u200f\u2028\u202e\u2060\u2066\u2069\ufeff\U000e0041")
def test_names_with_what_nobody_sees_are_refused(unseen: str) -> None:
    with pytest.raises(ValidationError):
        Member(node=FOUNDER.node_id, name=f"attic{unseen}", since=0)


@pytest.mark.parametrize("name", ["Küche", "納屋", "the \u00a0 barn", "attic 🏠", "علية", "x" * 64])
def test_names_in_any_writing_are_taken(name: str) -> None:
    assert Member(node=FOUNDER.node_id, name=name, since=0).name == name


def test_every_allowed_moment_can_be_written() -> None:
    assert rfc3339(END_OF_TIME).startswith("9999-12-31")


@given(st.text(max_size=200))
def test_any_name_can_be_made_to_fit(name: str) -> None:
    assert Member(node=FOUNDER.node_id, name=fit_name(name), since=0).name


@given(st.binary(max_size=70))
def test_bytes_come_back_from_their_text(data: bytes) -> None:
    assert bytes_of_text(text_of_bytes(data)) == data


@pytest.mark.parametrize("text", ["AB", "A", "AA==", "A+", "ä"])
def test_text_that_is_not_the_one_spelling_is_refused(text: str) -> None:
    with pytest.raises(BadTextError):
        bytes_of_text(text)
