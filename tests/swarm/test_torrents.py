import hashlib
from typing import Any

import libtorrent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.bencoded import LARGEST, read
from thorp.swarm.merkle import BLOCK, Leaves
from thorp.swarm.recipes import LARGEST_PIECE, PIECE, Torrent, bencode, comment_of, household_torrent, public_torrent
from thorp.swarm.torrents import BadTorrentError, WrongTorrentError, parse_torrent, with_tracker

NAME = "pattern.gguf"
CARD = {"format": "gguf", "model_id": "qwen2.5:0.5b:instruct:q8_0", "revision": "0" * 40, "source": "hub"}
SMALL = 3 * BLOCK + 5
KEY = b"pattern.gguf"


def sha1s(data: bytes, piece: int) -> bytes:
    parts = (data[at : at + piece] for at in range(0, len(data), piece))
    return b"".join(hashlib.sha1(part, usedforsecurity=False).digest() for part in parts)


def household(length: int = SMALL, name: str = NAME) -> Torrent:
    data = bytes(length)
    return household_torrent(name, length, sha1s(data, PIECE), card=CARD)


def public(length: int = SMALL, piece: int = BLOCK) -> Torrent:
    data, leaves = bytes(length), Leaves(piece)
    leaves.update(data)
    return public_torrent(NAME, length, sha1s(data, piece), leaves.digest(), card=CARD)


HOUSEHOLD, PUBLIC = household().content, public().content


def changed(content: bytes, *path: bytes, to: Any = None) -> bytes:
    """The same torrent with one value put in, put elsewhere or, with None, taken out."""
    whole: Any = read(content)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return bencode(whole)


def leaf(**more: Any) -> dict[bytes, Any]:
    whole: Any = read(PUBLIC)
    return {KEY: {b"": whole[b"info"][b"file tree"][KEY][b""] | {key.encode(): value for key, value in more.items()}}}


def refused(content: bytes, why: str) -> None:
    with pytest.raises(BadTorrentError, match=why):
        parse_torrent(content)


@pytest.mark.parametrize("length", [1, PIECE, PIECE + 1])
def test_a_household_torrent_is_read(length: int) -> None:
    made = household(length)
    found = parse_torrent(made.content, expected=made.infohash)

    assert (found.infohash, found.infohash_v2, found.v2_root) == (made.infohash, None, None)
    assert (found.name, found.length, found.piece_length, found.private) == (NAME, length, PIECE, True)
    assert found.pieces == sha1s(bytes(length), PIECE)
    assert found.comment == comment_of(CARD)
    assert found.content == made.content


@pytest.mark.parametrize(("length", "piece"), [(1, PIECE), (BLOCK, BLOCK), (SMALL, BLOCK), (PIECE + 1, PIECE)])
def test_a_public_torrent_is_read(length: int, piece: int) -> None:
    made = public(length, piece)
    found = parse_torrent(made.content, expected=made.infohash_v2)

    assert (found.infohash, found.infohash_v2) == (made.infohash, made.infohash_v2)
    assert (found.name, found.length, found.piece_length, found.private) == (NAME, length, piece, False)
    assert found.v2_root in made.content if found.v2_root else False
    assert found.content == made.content


def test_another_torrent_than_the_one_asked_for_is_refused() -> None:
    for content, expected in [
        (HOUSEHOLD, public().infohash),
        (PUBLIC, household().infohash),
        (HOUSEHOLD, hashlib.sha256(bencode(read(HOUSEHOLD)[b"info"])).digest()),
        (HOUSEHOLD, b""),
    ]:
        with pytest.raises(WrongTorrentError, match="was asked for"):
            parse_torrent(content, expected=expected)


def test_D53_whoever_hands_a_torrent_does_not_choose_whom_we_talk_to() -> None:
    elsewhere: dict[bytes, Any] = {
        b"announce": b"http://192.168.1.1/announce",
        b"announce-list": [[b"udp://10.0.0.%d:1" % number] for number in range(200)],
        b"url-list": [b"http://169.254.169.254/latest/meta-data/"],
        b"httpseeds": [b"http://127.0.0.1/"],
        b"nodes": [[b"127.0.0.1", 6881]],
        b"creation date": 1,
        b"encoding": b"UTF-8",
    }
    for content in (HOUSEHOLD, PUBLIC):
        assert parse_torrent(bencode(read(content) | elsewhere)).content == content

    given_to_an_engine = libtorrent.load_torrent_buffer(parse_torrent(bencode(read(PUBLIC) | elsewhere)).content)
    assert (given_to_an_engine.trackers, given_to_an_engine.url_seeds) == ([], [])
    assert given_to_an_engine.dht_nodes == []


def test_a_torrent_for_other_clients_names_our_tracker_and_keeps_its_infohash() -> None:
    exported = with_tracker(HOUSEHOLD, "http://192.168.1.2:6969/announce")
    found = libtorrent.load_torrent_buffer(exported)

    assert found.trackers == ["http://192.168.1.2:6969/announce"]
    assert found.info_hashes.v1.to_bytes() == household().infohash


NO_NAMES = [
    b"",
    b".",
    b"..",
    b"../pattern.gguf",
    b"/etc/passwd",
    b"a/b",
    b"a\\b",
    b"..\\a",
    b"C:a",
    b"a\0b",
    b"a\nb",
    b"a\x1b[2J",
    "a\u202efugg".encode(),
    b"\xff\xfe",
    b"CON",
    b"nul.gguf",
    b"com1",
    b"lpt9.txt",
    b"a.",
    b"a ",
    b"a?b",
    b"x" * 256,
    7,
    [b"a", b"b"],
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_D52_empty_and_reserved_names_and_ways_out_are_refused(name: Any) -> None:
    refused(changed(HOUSEHOLD, b"info", b"name", to=name), "name")
    refused(changed(PUBLIC, b"info", b"name", to=name), "name")


def test_D52_several_files_are_refused_however_many() -> None:
    one = {b"length": 1, b"path": [b"a"]}
    for files in ([], [one], [one] * 100):
        refused(changed(HOUSEHOLD, b"info", b"files", to=files), "several files")
        refused(changed(PUBLIC, b"info", b"files", to=files), "several files")
    refused(changed(HOUSEHOLD, b"info", b"files", to=[one] * 100_000), "more values")
    refused(b"d4:infod5:filesl" + b"i0e" * 10_000_000 + b"eee", f"more than the {LARGEST}")
    refused(changed(PUBLIC, b"info", b"file tree", to=leaf() | {b"other": leaf()[KEY]}), "several files")
    refused(changed(PUBLIC, b"info", b"file tree", to={}), "several files")


@pytest.mark.parametrize("piece", [0, 1, -1, 3 * BLOCK, BLOCK // 2, LARGEST_PIECE * 2, 2**31, b"x", []])
def test_D52_pieces_of_an_impossible_length_are_refused(piece: Any) -> None:
    refused(changed(HOUSEHOLD, b"info", b"piece length", to=piece), "has other pieces")
    refused(changed(PUBLIC, b"info", b"piece length", to=piece), "pieces of a length")


@pytest.mark.parametrize(("key", "value"), [(b"attr", b"p"), (b"attr", b"l"), (b"symlink path", [b"etc", b"passwd"])])
def test_D52_padding_and_symlink_attributes_are_refused(key: bytes, value: Any) -> None:
    why = "attributes" if key == b"attr" else "points to another"
    refused(changed(HOUSEHOLD, b"info", key, to=value), why)
    refused(changed(PUBLIC, b"info", key, to=value), why)
    refused(changed(PUBLIC, b"info", b"file tree", KEY, b"", key, to=value), why)


@pytest.mark.parametrize("length", [-1, -(2**63), 2**63 - 1, 2**63, b"1", [1]])
def test_D52_lengths_that_are_negative_or_do_not_fit_are_refused(length: Any) -> None:
    refused(changed(PUBLIC, b"info", b"length", to=length), "length|pieces|number")
    refused(changed(HOUSEHOLD, b"info", b"length", to=length), "length|pieces|number")


def test_D52_halves_of_a_hybrid_that_disagree_are_refused() -> None:
    layers: Any = read(PUBLIC)[b"piece layers"]
    ((root, layer),) = layers.items()
    tree = (b"info", b"file tree")
    for change, why in [
        ((*tree, KEY, b"", b"length", SMALL - 1), "another length"),
        ((*tree, KEY, b"", b"length", b"x"), "another length"),
        ((*tree, {b"other.gguf": leaf()[KEY]}), "names its file otherwise"),
        ((*tree, KEY, b"", b"pieces root", b"x" * 32), "are of another file"),
        ((*tree, KEY, b"", b"pieces root", b"x" * 20), "lacks the root"),
        ((*tree, KEY, {b"": leaf()[KEY][b""], b"inner": {}}), "folder"),
        ((*tree, KEY, {b"inner": leaf()[KEY]}), "folder"),
        ((*tree, KEY, b"", []), "folder"),
        ((*tree, []), "several files"),
        ((b"piece layers", {}), "are of another file"),
        ((b"piece layers", {root: layer[:-32]}), "more or fewer hashes in version 2"),
        ((b"piece layers", {root: layer[32:] + layer[:32][::-1]}), "do not make their root"),
        ((b"piece layers", {root: layer, b"x" * 32: layer}), "are of another file"),
        ((b"piece layers", []), "lacks the hashes"),
        ((b"info", b"pieces", b"x" * 60), "more or fewer hashes than"),
        ((b"info", b"meta version", 3), "version that is not known"),
    ]:
        refused(changed(PUBLIC, *change[:-1], to=change[-1]), why)
    refused(changed(PUBLIC, b"piece layers"), "lacks the hashes")
    refused(changed(public(1).content, b"piece layers", to=layers), "for a file of one piece")


def test_D52_a_root_is_not_optional() -> None:
    refused(changed(PUBLIC, b"info", b"file tree", KEY, b"", b"pieces root"), "lacks the root")


@pytest.mark.parametrize("content", [HOUSEHOLD, PUBLIC])
def test_D52_another_form_of_the_same_bytes_is_refused(content: bytes) -> None:
    refused(content + b"\n", "after its end")
    refused(content + content, "after its end")
    refused(content[:-1], "torrent")
    refused(content.replace(b"12:piece length", b"012:piece length"), "no value")
    refused(content.replace(b"4:name", b"4:Name"), "order")
    refused(content.replace(b"6:length", b"6:lengthi1e6:length"), "twice")
    refused(content.replace(b"6:lengthi", b"6:lengthi0"), "number")
    refused(content.replace(b"6:lengthi", b"6:lengthi-0"), "number")


def test_what_is_neither_of_our_two_shapes_is_refused() -> None:
    for content in (b"", b"i1e", b"le", b"de", b"d4:infoi1ee", b"d4:infolee"):
        refused(content, "describes no file|no torrent")
    refused(b"d4:infodee", "neither private")
    refused(changed(HOUSEHOLD, b"info", b"private"), "neither private")
    refused(changed(HOUSEHOLD, b"info", b"private", to=0), "neither private")
    refused(changed(PUBLIC, b"info", b"private", to=1), "describes its file with `private`")
    refused(changed(HOUSEHOLD, b"info", b"source", to=b"x"), "describes its file with `source`")
    refused(changed(HOUSEHOLD, b"info", b"name.utf-8", to=b"x"), "describes its file with `name.utf-8`")
    refused(changed(HOUSEHOLD, b"info", b"\x1b[2J`", to=b"x"), r"describes its file with `\\x1b\[2J'`")
    refused(changed(HOUSEHOLD, b"piece layers", to={}), "version 1 alone")
    refused(changed(HOUSEHOLD, b"signatures", to={}), "`signatures`")
    for key in (b"pieces", b"name", b"length", b"piece length"):
        refused(changed(HOUSEHOLD, b"info", key), f"does not give the {key.decode()}")
        refused(changed(PUBLIC, b"info", key), f"does not give the {key.decode()}")


def test_an_empty_file_is_nothing_to_fetch() -> None:
    refused(household(0).content, "empty file")
    refused(public(0).content, "empty file")


def test_a_comment_is_bounded_text_and_may_be_missing() -> None:
    refused(changed(HOUSEHOLD, b"comment", to=b"x" * 4097), "comment")
    refused(changed(HOUSEHOLD, b"comment", to=b"\xff"), "no UTF-8")
    refused(changed(HOUSEHOLD, b"created by", to=7), "maker")
    assert parse_torrent(changed(HOUSEHOLD, b"comment")).comment == ""


@given(
    st.sampled_from([HOUSEHOLD, PUBLIC]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_D52_a_damaged_torrent_is_refused_or_is_whole(content: bytes, damage: list[tuple[int, int, bytes]]) -> None:
    for at, out, into in damage:
        start = at % len(content)
        content = content[:start] + into + content[start + out :]
    try:
        found = parse_torrent(content)
    except BadTorrentError:
        return
    theirs = libtorrent.load_torrent_buffer(found.content)
    assert theirs.info_hashes.v1.to_bytes() == found.infohash
    assert (theirs.ti.total_size(), theirs.ti.num_files()) == (found.length, 1)
    assert len(found.pieces) == 20 * theirs.ti.num_pieces()
