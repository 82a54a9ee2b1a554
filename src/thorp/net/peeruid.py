"""Whose process is at the other end of a connection within this machine. An unsure answer is None, never a guess.

A Unix socket carries the answer. For TCP over loopback the kernel is asked about the client's socket by its exact
four-tuple (sock_diag, about 20 µs). Once the client has closed, the kernel answers "uid 0, inode 0": that is nobody.
"""

import ipaddress
import os
import socket
import struct
import sys
from typing import Final, Protocol, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
End: TypeAlias = tuple[Address, int]

CAN_TELL: Final = sys.platform == "linux"
UNNAMEABLE: Final = 65534  # stands for every user of another user namespace; equal to it proves nothing

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_IS_REQUEST: Final = 1
_ESTABLISHED: Final = 1
_ANY_COOKIE: Final = b"\xff" * 8
_LARGEST_ANSWER: Final = 4096

# See linux/netlink.h and linux/inet_diag.h.
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_REQUEST: Final = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_SOCKET: Final = struct.Struct("!HH16s16s4s8s")  # ports, addresses, interface, cookie
_ANSWER: Final = struct.Struct("=BBBB")  # family, state, timer, retransmissions
_COUNTS: Final = struct.Struct("=IIIII")  # expiry, receive queue, write queue, uid, inode
_CREDENTIALS: Final = struct.Struct("=iII")  # pid, uid, gid


class HasOptions(Protocol):
    """A socket, or what an event loop shows in its place."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def is_same_user(uid: int | None, own: int) -> bool | None:
    return None if uid is None or uid == UNNAMEABLE else uid == own


def is_at_home(same_user: bool | None, *, within: bool, can_tell: bool = CAN_TELL) -> bool:
    """Whether a connection within this machine is our own user's, as far as the system can tell users apart at all.

    Where it can, no answer is a bad one: whoever ends their half of a connection early gets none.
    """
    return within and (same_user is True or (same_user is None and not can_tell))


def is_within(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether both ends of a connection are this machine."""
    return _end(client)[0].is_loopback and _end(server)[0].is_loopback


def unix_peer_uid(connection: HasOptions) -> int | None:
    """The user who connected to this Unix socket."""
    if not CAN_TELL:
        return None
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return None
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return uid


def tcp_peer_uid(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user of the process that holds the client's end of a loopback connection."""
    if not CAN_TELL or not is_within(client, server):
        return None
    ends = _end(client), _end(server)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as kernel:
            kernel.setblocking(False)  # the kernel answers within the send
            kernel.send(question(*ends))
            return uid_in(kernel.recv(_LARGEST_ANSWER), *ends)
    except OSError:
        return None


def question(client: End, server: End) -> bytes:
    family = socket.AF_INET if isinstance(client[0], ipaddress.IPv4Address) else socket.AF_INET6
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _ESTABLISHED) + _socket_id(client, server)
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _IS_REQUEST, 0, 0) + body


def uid_in(answer: bytes, client: End, server: End) -> int | None:
    """The user named by the kernel's answer, if it speaks of exactly this connection and the connection lives."""
    least = _HEADER.size + _ANSWER.size + _SOCKET.size + _COUNTS.size
    if len(answer) < least or _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    family, state, _, _ = _ANSWER.unpack_from(answer, _HEADER.size)
    ports_and_addresses = _SOCKET.unpack_from(answer, _HEADER.size + _ANSWER.size)[:4]
    _, _, _, uid, inode = _COUNTS.unpack_from(answer, least - _COUNTS.size)
    if state != _ESTABLISHED or not inode or _ends_in(family, *ports_and_addresses) != (client, server):
        return None
    return uid


def _socket_id(client: End, server: End) -> bytes:
    packed = (address.packed.ljust(16, b"\0") for address, _ in (client, server))
    return _SOCKET.pack(client[1], server[1], *packed, b"\0" * 4, _ANY_COOKIE)


def _ends_in(family: int, port: int, other_port: int, address: bytes, other: bytes) -> tuple[End, End]:
    size = 4 if family == socket.AF_INET else 16
    return (_plain(address[:size]), port), (_plain(other[:size]), other_port)


def _end(name: tuple[str, int]) -> End:
    return _plain(name[0].partition("%")[0]), name[1]


def _plain(address: str | bytes) -> Address:
    """A v4-mapped address is a v4 address: the kernel keeps such sockets in the v4 table."""
    parsed = ipaddress.ip_address(address)
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, ipaddress.IPv6Address) else parsed


def own_uid() -> int:
    return os.geteuid()
