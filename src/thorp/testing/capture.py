"""What went over a bridge: tcpdump writes it down, and a reader of its files says who sent what to whom.

The reader takes anything: what is cut short, or of a kind it does not know, is told as far as it goes.
"""

import ipaddress
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypedDict, Unpack

from thorp.testing.namespaces import Namespace, NoVillageError
from thorp.testing.process import PATIENCE, begin, until

WHOLE: Final = 1600  # bytes kept of each frame; a frame that the machines did not split into packets is cut there
_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"\xd4\xc3\xb2\xa1": "little", b"\xa1\xb2\xc3\xd4": "big"}
_HEAD, _RECORD = 24, 16
_ETHERNET, _ARP_LENGTH, _IPV4_HEAD, _IPV6_HEAD, _UDP_HEAD = 14, 28, 20, 40, 8
_TCP_HEAD: Final = 12  # the byte of a TCP head that says how long it is
_IPV4, _ARP, _IPV6, _MARK = 0x0800, 0x0806, 0x86DD, 0x88B5  # the last is for experiments, and says "until here"
_NAMES: Final = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_EXTENSIONS: Final = (0, 43, 60)  # of IPv6, with their length in the second byte
_MARKING: Final = """
import socket, sys, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
while True:
    wire.send(bytes.fromhex("020000000001020000000002" + sys.argv[2]).ljust(60, b"."))
    time.sleep(0.02)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One packet. Ports are 0 where there are none; of what is no IP the addresses are those of the hardware."""

    proto: str  # tcp, udp, icmp, igmp, icmpv6, arp, or the number
    src: str
    dst: str
    sport: int = 0
    dport: int = 0
    payload: bytes = b""  # as much of it as was kept
    size: int = 0  # of the whole payload


class Wanted(TypedDict, total=False):
    """What a packet has to be, as far as it is said."""

    proto: str
    src: str
    dst: str
    sport: int
    dport: int
    begins: bytes  # of the payload


def records(content: bytes) -> Iterator[bytes]:
    """The frames of a pcap file; one that is still being written ends with its last whole frame."""
    order = _ORDERS.get(content[:4])
    if order is None:
        raise ValueError("this is no pcap file")
    at = _HEAD
    while at + _RECORD <= len(content):
        kept = int.from_bytes(content[at + 8 : at + 12], order)
        at += _RECORD
        if at + kept > len(content):
            return
        yield content[at : at + kept]
        at += kept


def read_frame(frame: bytes) -> Seen:
    """Who sent an Ethernet frame to whom."""
    kind, packet = _number(frame, 12), frame[_ETHERNET:]
    if kind == _IPV4 and len(packet) >= _IPV4_HEAD:
        return _ipv4(packet)
    if kind == _IPV6 and len(packet) >= _IPV6_HEAD:
        return _ipv6(packet)
    if kind == _ARP and len(packet) >= _ARP_LENGTH:
        return Seen("arp", _address(packet[14:18]), _address(packet[24:28]))
    return Seen(f"0x{kind:04x}", frame[6:12].hex(":"), frame[:6].hex(":"), 0, 0, packet, len(packet))


def read_pcap(content: bytes) -> tuple[Seen, ...]:
    """Every packet of a file, in the order in which they were seen."""
    return tuple(read_frame(frame) for frame in records(content) if _number(frame, 12) != _MARK)


def _ipv4(packet: bytes) -> Seen:
    head, proto = (packet[0] & 0xF) * 4, packet[9]
    src, dst = _address(packet[12:16]), _address(packet[16:20])
    rest, size = packet[head : _number(packet, 2)], _number(packet, 2) - head
    if _number(packet, 6) & 0x1FFF:  # a later part of a packet: no ports
        return Seen(_name(proto), src, dst, 0, 0, rest, max(0, size))
    return _inner(proto, src, dst, rest, size)


def _ipv6(packet: bytes) -> Seen:
    proto, rest, size = packet[6], packet[_IPV6_HEAD : _IPV6_HEAD + _number(packet, 4)], _number(packet, 4)
    while proto in _EXTENSIONS and len(rest) > 1:
        length = 8 + rest[1] * 8
        proto, rest, size = rest[0], rest[length:], size - length
    return _inner(proto, _address(packet[8:24]), _address(packet[24:40]), rest, size)


def _inner(proto: int, src: str, dst: str, rest: bytes, size: int) -> Seen:
    name = _name(proto)
    if name not in ("tcp", "udp"):
        return Seen(name, src, dst, 0, 0, rest, max(0, size))
    head = _UDP_HEAD
    if name == "tcp":
        head = (rest[_TCP_HEAD] >> 4) * 4 if len(rest) > _TCP_HEAD else len(rest)
    return Seen(name, src, dst, _number(rest, 0), _number(rest, 2), rest[head:], max(0, size - head))


def _name(proto: int) -> str:
    return _NAMES.get(proto, str(proto))


def _number(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "big")


def _address(content: bytes) -> str:
    return str(ipaddress.ip_address(content))


@dataclass(slots=True)
class Capture:
    """What was seen so far; after the block, all of it."""

    file: Path
    _frames: list[bytes] = field(default_factory=list[bytes])
    _ended: bool = False

    @property
    def frames(self) -> list[bytes]:
        if self._ended:
            return self._frames
        content = self.file.read_bytes() if self.file.exists() else b""
        return list(records(content)) if len(content) >= _HEAD else []

    @property
    def seen(self) -> tuple[Seen, ...]:
        return tuple(read_frame(frame) for frame in self.frames if _number(frame, 12) != _MARK)

    def find(self, **wanted: Unpack[Wanted]) -> tuple[Seen, ...]:
        """The packets of which all of this holds; what is not said may be anything."""
        begins = wanted.pop("begins", b"")
        return tuple(
            one
            for one in self.seen
            if one.payload.startswith(begins) and all(getattr(one, name) == value for name, value in wanted.items())
        )

    def flows(self) -> set[tuple[str, str, str, int, int]]:
        """Protocol, both addresses and both ports of everything that was seen."""
        return {(one.proto, one.src, one.dst, one.sport, one.dport) for one in self.seen}

    def holds(self, text: bytes) -> bool:
        """Whether these bytes stand in any one frame, wherever in it."""
        return any(text in frame for frame in self.frames)

    def end(self) -> None:
        """Read the file for the last time, after which nobody needs it."""
        self._frames = self.frames
        self._ended = True


@contextmanager
def capturing(inside: Namespace, port: str, file: Path, snap: int = WHOLE) -> Generator[Capture]:
    """Write down what passes a port of a namespace, from the first byte of the block to its last."""
    command = ("tcpdump", "-i", port, "-n", "-U", "--immediate-mode", "-B", "32768", "-Z", "root")
    words = [*inside.through, *command, "-s", str(snap), "-w", str(file)]
    with begin(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            said = _until_listening(process)
            capture = Capture(file)
            yield capture
            _mark(inside, port, capture)
            process.send_signal(signal.SIGINT)
            said += process.communicate(timeout=PATIENCE)[1].decode()
        finally:
            process.kill()
    capture.end()
    if not re.search(r"^0 packets dropped by kernel", said, re.MULTILINE):
        raise AssertionError(f"the capture is not complete: {said}")


def _until_listening(process: "subprocess.Popen[bytes]") -> str:
    said = ""
    for line in process.stderr or ():
        said += line.decode()
        if b"listening on" in line:
            return said
    raise NoVillageError(f"tcpdump ended: {said}")


def _mark(inside: Namespace, port: str, capture: Capture) -> None:
    """Wait until everything sent so far is in the file: a frame that is sent now stands behind it."""
    mark = _MARK.to_bytes(2, "big")
    words = [*inside.through, sys.executable, "-I", "-S", "-c", _MARKING, port, mark.hex()]
    with begin(words) as marker:
        try:
            until(lambda: any(frame[12:14] == mark for frame in capture.frames), "tcpdump has written everything")
        finally:
            marker.kill()
