"""The reader of captures, byte by byte, and a real capture."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.clock import SystemRandomness
from thorp.testing.capture import Capture, Seen, capturing, read_frame, read_pcap, records
from thorp.testing.namespaces import Namespace

A, B = bytes([10, 77, 0, 11]), bytes([10, 77, 0, 12])
A6, B6 = bytes.fromhex("fe80" + "00" * 13 + "01"), bytes.fromhex("ff02" + "00" * 13 + "fb")
HARDWARE = bytes.fromhex("020000000002020000000001")
UDP = struct.pack(">HHHH", 5353, 4269, 8 + 5, 0) + b"hello"
TCP = struct.pack(">HHIIBBHHH", 40_000, 7080, 1, 1, 6 << 4, 0x18, 100, 0, 0) + b"opt." + b"GET /"
SENDING = """
import socket
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(500):
    wire.sendto(b"packet %d" % number, ("127.0.0.1", 4269))
"""


def ethernet(kind: int, packet: bytes) -> bytes:
    return HARDWARE + kind.to_bytes(2, "big") + packet


def ipv4(proto: int, inner: bytes, fragment: int = 0, options: bytes = b"") -> bytes:
    head = struct.pack(
        ">BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(inner), 1, fragment, 64, proto, 0
    )
    return ethernet(0x0800, head + A + B + options + inner)


def ipv6(proto: int, inner: bytes) -> bytes:
    return ethernet(0x86DD, struct.pack(">IHBB", 6 << 28, len(inner), proto, 64) + A6 + B6 + inner)


def pcap(*frames: bytes, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1600, 1)
    return head + b"".join(struct.pack(f"{order}IIII", 1, 2, len(one), len(one)) + one for one in frames)


@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        (ipv4(17, UDP), Seen("udp", "10.77.0.11", "10.77.0.12", 5353, 4269, b"hello", 5)),
        (ipv4(17, UDP, options=b"\x01" * 4), Seen("udp", "10.77.0.11", "10.77.0.12", 5353, 4269, b"hello", 5)),
        (ipv4(17, UDP) + b"\0" * 9, Seen("udp", "10.77.0.11", "10.77.0.12", 5353, 4269, b"hello", 5)),
        (ipv4(17, UDP)[:-3], Seen("udp", "10.77.0.11", "10.77.0.12", 5353, 4269, b"he", 5)),
        (ipv4(6, TCP), Seen("tcp", "10.77.0.11", "10.77.0.12", 40_000, 7080, b"GET /", 5)),
        (ipv4(2, b"report"), Seen("igmp", "10.77.0.11", "10.77.0.12", 0, 0, b"report", 6)),
        (ipv4(17, b"rest", fragment=185), Seen("udp", "10.77.0.11", "10.77.0.12", 0, 0, b"rest", 4)),
        (ipv4(132, b"x"), Seen("132", "10.77.0.11", "10.77.0.12", 0, 0, b"x", 1)),
        (ipv6(17, UDP), Seen("udp", "fe80::1", "ff02::fb", 5353, 4269, b"hello", 5)),
        (ipv6(0, b"\x3a\x00" + b"\0" * 6 + b"query"), Seen("icmpv6", "fe80::1", "ff02::fb", 0, 0, b"query", 5)),
        (
            ethernet(0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + b"\2" * 6 + A + b"\0" * 6 + B),
            Seen("arp", "10.77.0.11", "10.77.0.12"),
        ),
        (ethernet(0x9000, b"?"), Seen("0x9000", "02:00:00:00:00:01", "02:00:00:00:00:02", 0, 0, b"?", 1)),
    ],
)
def test_a_frame_says_who_sent_what_to_whom(frame: bytes, seen: Seen) -> None:
    assert read_frame(frame) == seen


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_file_is_read_in_either_order_of_bytes_and_without_our_own_marks(order: str) -> None:
    content = pcap(ipv4(17, UDP), ethernet(0x88B5, b"until here"), ipv6(17, UDP), order=order)
    assert [one.src for one in read_pcap(content)] == ["10.77.0.11", "fe80::1"]


def test_a_file_that_is_still_being_written_ends_with_its_last_whole_frame() -> None:
    content = pcap(ipv4(17, UDP), ipv4(6, TCP))
    counts = [len(list(records(content[:end]))) for end in range(24, len(content) + 1)]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(ValueError, match="no pcap file"):
        read_pcap(b"GET / HTTP/1.1\r\n")


@given(st.sampled_from([0x0800, 0x86DD, 0x0806, 1]), st.binary(max_size=90))
def test_whatever_a_frame_holds_it_is_told_as_far_as_it_goes(kind: int, packet: bytes) -> None:
    assert read_frame(ethernet(kind, packet)).size >= 0
    assert read_frame(packet)


def test_packets_are_found_by_what_is_known_of_them(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(pcap(ipv4(17, UDP), ipv4(6, TCP), ethernet(0x88B5, b"until here")))
    capture = Capture(tmp_path / "c")
    assert len(capture.seen) == 2
    assert [one.proto for one in capture.find(src="10.77.0.11")] == ["udp", "tcp"]
    assert [one.dport for one in capture.find(proto="udp", begins=b"hel")] == [4269]
    assert capture.find(proto="udp", dport=7080) == capture.find(begins=b"ello") == capture.find(sport=1) == ()
    assert ("tcp", "10.77.0.11", "10.77.0.12", 40_000, 7080) in capture.flows()
    assert capture.holds(b"llo")
    assert not capture.holds(b"mistral")


def test_before_anything_is_written_nothing_was_seen(tmp_path: Path) -> None:
    assert Capture(tmp_path / "c").seen == ()


@pytest.fixture
def space() -> Iterator[Namespace]:
    made = Namespace(f"thorp-test-{SystemRandomness().bytes(4).hex()}")
    made.make()
    yield made
    made.remove()


@pytest.mark.network
@pytest.mark.needs("ip", "tcpdump")
def test_a_capture_has_everything_from_the_first_byte_of_its_block_to_the_last(
    space: Namespace, tmp_path: Path
) -> None:
    with capturing(space, "lo", tmp_path / "c") as capture:
        space.do(sys.executable, "-c", SENDING)
    (tmp_path / "c").unlink()
    assert [one.payload for one in capture.find(proto="udp", dport=4269)] == [b"packet %d" % one for one in range(500)]


@pytest.mark.network
@pytest.mark.needs("ip", "tcpdump")
def test_a_block_that_fails_leaves_no_tcpdump_behind(space: Namespace, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), capturing(space, "lo", tmp_path / "c"):
        raise ZeroDivisionError
    assert space.processes() == set()


@pytest.mark.network
@pytest.mark.needs("ip", "tcpdump")
def test_a_port_that_is_not_there_is_told(space: Namespace, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="eth9"), capturing(space, "eth9", tmp_path / "c"):
        raise AssertionError
