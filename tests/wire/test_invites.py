import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.identity.keys import NodeKey
from thorp.wire.canonical import canonical_bytes
from thorp.wire.household import bytes_of_text, text_of_bytes
from thorp.wire.invites import (
    LONGEST,
    BadLinkError,
    Invite,
    LinkFault,
    _check_of,
    endpoint_of,
    invite_id,
    link_of,
    parse_link,
    split_endpoint,
)

NODE = NodeKey(bytes(32)).node_id
INVITE = Invite(NODE, "0" * 32, ("192.168.7.2:7080", "[fd00::1]:7080"), bytes(range(16)))
LINK = link_of(INVITE)


def made_of(**change: object) -> str:
    """A link with a right check over wrong fields."""
    fields = {"community": "0" * 32, "endpoints": ["10.0.0.1:1"], "node": NODE, "secret": text_of_bytes(bytes(16))}
    fields |= change
    return "thorp:join/1/" + text_of_bytes(canonical_bytes(fields | {"check": _check_of(fields)}))


def reason(link: str) -> str:
    with pytest.raises(BadLinkError) as refused:
        parse_link(link)
    return refused.value.details["reason"]


def test_an_invite_comes_back_from_its_link() -> None:
    assert parse_link(f" {LINK}\n") == INVITE


def test_the_secret_shows_in_the_link_and_nowhere_else() -> None:
    assert "secret" not in repr(INVITE)
    assert bytes(range(16)).hex() not in invite_id(INVITE.secret)
    assert len(invite_id(INVITE.secret)) == 32


def test_56_an_over_long_link_says_so() -> None:
    assert reason(LINK + "A" * LONGEST) == LinkFault.TOO_LONG


@pytest.mark.parametrize("link", ["", "https://example.org", "thorp:", "THORP:join/1/x"])
def test_56_what_is_no_invite_says_so(link: str) -> None:
    assert reason(link) == LinkFault.NO_INVITE


def test_56_a_link_of_another_version_says_so() -> None:
    assert reason(LINK.replace("join/1/", "join/2/")) == LinkFault.OTHER_VERSION


@pytest.mark.parametrize("link", [LINK[:-1], LINK[:40], LINK + "A", LINK + "==", LINK[:-4] + "AAAA", "thorp:join/1/ä"])
def test_56_a_link_that_was_cut_or_altered_says_so(link: str) -> None:
    assert reason(link) == LinkFault.ALTERED


@given(st.integers(min_value=13, max_value=len(LINK) - 1), st.sampled_from("ABCxyz019-_"))
def test_56_no_character_of_a_link_can_change(at: int, character: str) -> None:
    if LINK[at] != character:
        assert reason(LINK[:at] + character + LINK[at + 1 :]) == LinkFault.ALTERED


@pytest.mark.parametrize(
    "change",
    [
        {"node": "ed25519:x"},
        {"node": NODE[:-1] + chr(ord(NODE[-1]) + 1)},
        {"community": "x"},
        {"secret": "AAAA"},
        {"endpoints": []},
        {"endpoints": ["10.0.0.1:1"] * 9},
        {"more": 1},
    ],
)
def test_fields_that_are_none_are_refused(change: dict[str, object]) -> None:
    assert reason(made_of(**change)) == LinkFault.BAD_FIELD


@pytest.mark.parametrize(
    "endpoint",
    [
        "example.org:80",
        "10.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:080",
        "0.0.0.0:80",
        "0.1.2.3:80",
        "169.254.169.254:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "[::]:80",
        "[fe80::1]:80",
        "[fe80::1%1]:80",
        "[ff02::1]:80",
        "[::ffff:10.0.0.1]:80",
        "[2002:7f00:1::]:80",
        "[64:ff9b::a00:1]:80",
        "fd00::1:80",
        "10.0.0.1:٣",
    ],
)
def test_an_invite_leads_to_plain_addresses_of_a_house_only(endpoint: str) -> None:
    assert reason(made_of(endpoints=[endpoint])) == LinkFault.BAD_ENDPOINT


def test_endpoints_come_apart_as_they_were_put_together() -> None:
    for address in ("192.168.7.2", "127.0.0.1", "fd00::1"):
        assert split_endpoint(endpoint_of(address, 7080)) == (address, 7080)


def test_a_payload_is_json_in_its_one_form() -> None:
    spaced = bytes_of_text(LINK.removeprefix("thorp:join/1/")).replace(b",", b", ")

    assert reason("thorp:join/1/" + text_of_bytes(spaced)) == LinkFault.ALTERED
