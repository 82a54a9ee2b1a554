"""The announcement packet: its bytes, and everything that is not taken for one."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.docs.pages import ROOT, blocks
from thorp.identity.keys import NodeKey
from thorp.wire import announce
from thorp.wire.announce import (
    LARGEST,
    Announcement,
    BadAnnouncementError,
    Head,
    LanKey,
    PacketRefusedError,
    Refusal,
    open_packet,
    seal,
)
from thorp.wire.canonical import canonical_bytes

KEY = NodeKey(bytes(range(32)))
OTHER = NodeKey(bytes(32))
LAN = LanKey(3, bytes(range(32, 64)))
NONCE = bytes(range(12))
HEAD = Head("mistral:7b:instruct:q4_k_m", "a1" * 20, "b2" * 20, "c3" * 32, 4_368_439_584)
SAID = Announcement(
    node=KEY.node_id,
    boot="00112233445566aa",
    seq=1_700_000_000_000,
    ttl=180,
    addrs=("192.168.7.20", "10.0.0.5"),
    port=42690,
    mesh_port=7080,
    list_digest="d4" * 32,
    count=2,
    heads=(HEAD, replace(HEAD, infohash=None, size=0)),
)
PACKET = seal(SAID, KEY, LAN, NONCE)
KEYS = {3: LAN}

HEX = some.text("0123456789abcdef", min_size=64, max_size=64)
HEADS = some.builds(
    Head,
    model_id=some.text(some.characters(exclude_categories=("Cs",)), min_size=1, max_size=512),
    revision=HEX.map(lambda text: text[:40]),
    infohash=some.none() | HEX.map(lambda text: text[:40]),
    sha256=HEX,
    size=some.integers(0, 2**53 - 1),
)
SAYINGS = some.builds(
    Announcement,
    node=some.just(KEY.node_id),
    boot=HEX.map(lambda text: text[:16]),
    seq=some.integers(1, 2**53 - 1),
    ttl=some.integers(1, 600),
    addrs=some.lists(some.integers(1, 223).map(lambda part: f"{part}.2.3.4"), min_size=1, max_size=8).map(tuple),
    port=some.integers(0, 65535),
    mesh_port=some.integers(0, 65535),
    list_digest=some.just("") | HEX,
    count=some.integers(0, 5000),
    heads=some.lists(HEADS, max_size=4).map(tuple),
)


def refused(datagram: bytes, keys=KEYS) -> Refusal:
    with pytest.raises(PacketRefusedError) as caught:
        open_packet(datagram, keys)
    return caught.value.reason


def boxed(plain: bytes, lan: LanKey = LAN) -> bytes:
    """Sealed by a member that says what it likes."""
    header = b"THRP\x01" + lan.epoch.to_bytes(4, "big") + NONCE
    return header + lan.box.encrypt(NONCE, plain, header)


def signed(data: bytes, key: NodeKey = KEY, kind: str = "announce") -> bytes:
    return boxed(key.sign(kind, data) + data)


def test_what_is_sealed_can_be_opened() -> None:
    assert open_packet(PACKET, KEYS) == SAID


def test_the_packet_is_frozen() -> None:
    assert PACKET[:21].hex() == "5448525001" + "00000003" + NONCE.hex()
    assert len(PACKET) == 833
    assert hashlib.sha256(PACKET).hexdigest() == "e161f30ec460c193c69f2e5c5f1f47720397399fdd79664170637bae8bf12538"


def test_the_page_about_it_says_the_same() -> None:
    text = (ROOT / "docs/protocol/lan-announcements.md").read_text(encoding="utf-8")
    [vector] = [json.loads(block.text) for block in blocks(text) if block.info == "json vectors"]

    assert bytes.fromhex(vector["datagram"]) == PACKET
    assert vector["content"] == json.loads(canonical_bytes({"v": 1, **asdict(SAID)}))
    assert (vector["epoch"], vector["tag"]) == (LAN.epoch, LAN.tag)
    assert [reason for reason in Refusal if f"`{reason}`" not in text] == []


def test_the_tag_is_frozen_and_another_one_in_each_epoch() -> None:
    assert LAN.tag == "575be50131dfe324"
    assert LanKey(4, bytes(32)).tag != LAN.tag


def test_nobody_reads_from_outside_who_speaks_or_what_a_house_runs() -> None:
    for part in (b"mistral", KEY.node_id.encode(), b"192.168.7.20"):
        assert part not in PACKET


def test_the_secret_is_not_shown() -> None:
    assert repr(LAN) == "LanKey(epoch=3)"


@given(SAYINGS)
def test_every_announcement_fits_into_one_datagram_and_loses_heads_only(said: Announcement) -> None:
    datagram = seal(said, KEY, LAN, NONCE)
    heard = open_packet(datagram, KEYS)

    assert len(datagram) <= LARGEST
    assert heard == replace(said, heads=said.heads[: len(heard.heads)])


def test_heads_that_do_not_fit_are_left_out_from_the_end() -> None:
    long = replace(HEAD, model_id="x" * 500)

    assert open_packet(seal(replace(SAID, heads=(HEAD, long)), KEY, LAN, NONCE), KEYS).heads == (HEAD,)
    assert open_packet(seal(replace(SAID, heads=(HEAD,) * 5), KEY, LAN, NONCE), KEYS).heads == (HEAD, HEAD)


@given(some.integers(0, len(PACKET) - 1), some.integers(1, 255))
def test_E57_no_altered_packet_is_taken(place: int, change: int) -> None:
    refused(PACKET[:place] + bytes([PACKET[place] ^ change]) + PACKET[place + 1 :])


@given(some.binary(max_size=LARGEST + 100))
def test_E57_noise_is_refused(noise: bytes) -> None:
    refused(noise)
    refused(b"THRP\x01\x00\x00\x00\x03" + noise[: LARGEST - 9])


@pytest.mark.parametrize("length", range(0, len(PACKET), 7))
def test_E57_a_packet_cut_short_is_refused(length: int) -> None:
    refused(PACKET[:length])


def test_E57_the_secret_of_another_household_opens_nothing() -> None:
    assert refused(PACKET, {3: LanKey(3, bytes(32))}) is Refusal.SEAL


def test_E57_a_member_cannot_speak_for_another_node() -> None:
    data = canonical_bytes(_plain() | {"node": OTHER.node_id})

    assert refused(signed(data)) is Refusal.SIGNATURE


def test_E57_a_signature_made_for_something_else_is_worth_nothing() -> None:
    assert refused(signed(canonical_bytes(_plain()), kind="hello")) is Refusal.SIGNATURE


def test_epochs_that_are_not_known_are_told_apart() -> None:
    assert refused(PACKET, {2: LAN}) is Refusal.NEWER_EPOCH
    assert refused(PACKET, {}) is Refusal.NEWER_EPOCH
    assert refused(PACKET, {4: LAN}) is Refusal.OLDER_EPOCH


def test_an_epoch_cannot_be_relabelled() -> None:
    relabelled = PACKET[:5] + (4).to_bytes(4, "big") + PACKET[9:]

    assert refused(relabelled, {4: LanKey(4, LAN.secret)}) is Refusal.SEAL


def test_other_reasons_are_told_apart() -> None:
    assert refused(PACKET + bytes(LARGEST)) is Refusal.TOO_LONG
    assert refused(b"M-SEARCH * HTTP/1.1") is Refusal.NOT_OURS
    assert refused(PACKET[:4] + b"\x02" + PACKET[5:]) is Refusal.VERSION
    assert refused(boxed(b"")) is Refusal.FORM


def _plain() -> dict[str, object]:
    return {
        "v": 1,
        "node": KEY.node_id,
        "boot": SAID.boot,
        "seq": 1,
        "ttl": 180,
        "addrs": ["10.0.0.5"],
        "port": 1,
        "mesh_port": 2,
        "list_digest": "",
        "count": 0,
        "heads": [],
    }


def test_the_plain_form_of_these_tests_is_taken() -> None:
    assert open_packet(signed(canonical_bytes(_plain())), KEYS).addrs == ("10.0.0.5",)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"node": "ed25519:AAAA"},
        {"boot": "short"},
        {"seq": 0},
        {"seq": 2**53},
        {"seq": "1"},
        {"ttl": 601},
        {"ttl": 0},
        {"addrs": []},
        {"addrs": ["10.0.0.5"] * 9},
        {"addrs": ["10.0.0.05"]},
        {"addrs": ["224.0.0.1"]},
        {"addrs": ["255.255.255.255"]},
        {"addrs": ["0.0.0.0"]},
        {"addrs": ["fe80::1"]},
        {"addrs": ["attic.local"]},
        {"port": 65536},
        {"mesh_port": -1},
        {"list_digest": "x"},
        {"count": 5001},
        {"heads": [{}]},
        {"heads": [{"model_id": "a", "revision": "a1" * 20, "infohash": None, "sha256": "c3" * 32, "size": -1}]},
        {"more": 1},
    ],
)
def test_a_field_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    data = json.dumps(_plain() | change, sort_keys=True, separators=(",", ":")).encode()

    assert refused(signed(data)) is Refusal.FORM


def test_there_is_one_spelling_only() -> None:
    data = canonical_bytes(_plain())

    for spelling in (b" " + data, data.replace(b'"seq":1', b'"seq":1,"seq":1'), data.replace(b'"v":1', b'"v":1.0')):
        assert refused(signed(spelling)) is Refusal.FORM


def test_nobody_announces_another_node_or_what_nobody_would_take() -> None:
    with pytest.raises(BadAnnouncementError):
        seal(SAID, OTHER, LAN, NONCE)
    with pytest.raises(BadAnnouncementError, match="addrs"):
        seal(replace(SAID, addrs=()), KEY, LAN, NONCE)


def test_the_numbers_others_rely_on() -> None:
    assert (announce.GROUP, announce.PORT, announce.LARGEST) == ("239.192.42.1", 4269, 1200)
