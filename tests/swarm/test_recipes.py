import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.recipes import PIECE, BadNameError, Torrent, bencode, household_torrent

NAME = "pattern.gguf"
CARD = {
    "source": "hub",
    "revision": "0123456789abcdef0123456789abcdef01234567",
    "model_id": "qwen2.5:0.5b:instruct:q8_0",
    "format": "gguf",
}
# Length, infohash, SHA-256 of the whole file, as libtorrent 2.1.1 made them of the same bytes, name and card.
# It refuses an empty file; that row is what the recipe says, written out by hand in the test below.
VECTORS = [
    (
        1,
        "35436570a8decf8a318d01cf0b137cd9f5128a7c",
        "2b4ce8e07fbda671ba6ad3bfa73dd169cb1e59002e84b099c3955bbf482e5d21",
    ),
    (
        PIECE - 1,
        "3fe06eba382955dc8933197ad2a7509a9290a88e",
        "42d4b2133393a75573820ae041650026f2b98df7040033c293830bab8d286492",
    ),
    (
        PIECE,
        "333442b1e0eeb4501a1b00f9a0806736f071247e",
        "989bc6798f4fcc058861f411ad5e0d7bf2e44c296e080ee7fbed864f17b2119e",
    ),
    (
        PIECE + 1,
        "931b0205b86f568b9f1b97fc7ea2438a89e267d4",
        "9071b75e0afb281fdfa14f9f5bab89e7100e8f295756238f22bb406bc7957f6c",
    ),
    (
        50_000_000,
        "3ad21a81bbfa825d740c8c68781de31577dd0bbc",
        "d4d38773b8a792204eb8268414b6b31a520a69ced036389d81731ff013d25930",
    ),
]


def pattern(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def hashes(data: bytes) -> bytes:
    return b"".join(
        hashlib.sha1(data[at : at + PIECE], usedforsecurity=False).digest() for at in range(0, len(data), PIECE)
    )


def torrent(name: str = NAME, length: int = 1, card: dict[str, str] = CARD) -> Torrent:
    return household_torrent(name, length, hashes(pattern(length)), card=card)


@pytest.mark.parametrize(("length", "infohash", "content"), VECTORS)
def test_the_torrent_is_that_of_libtorrents_own_creator(length: int, infohash: str, content: str) -> None:
    made = torrent(length=length)

    assert made.infohash.hex() == infohash
    assert hashlib.sha256(made.content).hexdigest() == content


def test_an_empty_file_has_no_pieces() -> None:
    info = b"d6:lengthi0e4:name12:pattern.gguf12:piece lengthi16777216e6:pieces0:7:privatei1ee"
    made = torrent(length=0)

    assert (
        made.infohash.hex()
        == hashlib.sha1(info, usedforsecurity=False).hexdigest()
        == "5744073cb5d6cb54025626f7d1568facec52d085"
    )
    assert made.content.endswith(b"4:info" + info + b"e")


def test_the_card_is_the_comment_and_changes_no_infohash() -> None:
    one, other = torrent(), torrent(card=CARD | {"model_id": "größer"})
    comment = json.dumps(CARD, sort_keys=True, separators=(",", ":")).encode()

    assert one.infohash == other.infohash
    assert one.content.startswith(b"d7:comment%d:%s10:created by4:bt/14:infod" % (len(comment), comment))
    assert "größer".encode() in other.content
    assert b"creation date" not in one.content


def test_another_name_is_another_infohash() -> None:
    assert torrent("other.gguf").infohash != torrent().infohash


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/", "a\\b", "..\\a", "a\0b", "\ud800"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(BadNameError, match="Rename the file"):
        torrent(name)


@pytest.mark.parametrize("name", ["a..b.gguf", "...", "größe 7B.gguf", ".hidden"])
def test_an_unusual_name_is_a_name(name: str) -> None:
    assert bencode(name) in torrent(name).content


@pytest.mark.parametrize(("length", "pieces"), [(1, b""), (0, b"x" * 20), (PIECE, b"x" * 40), (PIECE + 1, b"x" * 39)])
def test_hashes_that_do_not_match_the_length_are_refused(length: int, pieces: bytes) -> None:
    with pytest.raises(ValueError, match="match the length"):
        household_torrent(NAME, length, pieces, card=CARD)


@pytest.mark.parametrize("card", [{}, CARD | {"path": "models/secret"}])
def test_a_card_says_nothing_else(card: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="nothing else"):
        torrent(card=card)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, b"i0e"),
        (-42, b"i-42e"),
        (b"", b"0:"),
        ("ä", b"2:\xc3\xa4"),
        ([1, [b"a"]], b"li1el1:aee"),
        ({"b": 1, "a": {}, "B": []}, b"d1:Ble1:ade1:bi1ee"),
        ({"\U0001f600": 1, "\uffee": 2}, b"d3:\xef\xbf\xaei2e4:\xf0\x9f\x98\x80i1ee"),
    ],
)
def test_there_is_one_way_to_write_a_value(value: Any, expected: bytes) -> None:
    assert bencode(value) == expected


@pytest.mark.parametrize("value", [True, {"private": False}])
def test_a_truth_value_is_no_number(value: Any) -> None:
    with pytest.raises(TypeError):
        bencode(value)


KEYS = st.text(max_size=8).filter(lambda key: not any("\ud800" <= one <= "\udfff" for one in key))


@given(st.dictionaries(KEYS, st.integers()))
def test_the_order_in_which_a_dictionary_was_filled_does_not_matter(value: dict[str, int]) -> None:
    assert bencode(value) == bencode(dict(reversed(value.items())))
