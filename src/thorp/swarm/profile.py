"""How an engine behaves: its listening addresses, what it looks for peers with, and how patient it is.

Pure. The household's engine finds nobody by itself and speaks to nobody who was not named; the public one asks the DHT
and other peers, and keeps out of private networks.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeAlias

Setting: TypeAlias = bool | int | str

# libtorrent's categories of alerts: errors, peers, storage, status, pieces. Connections and the address filter are left
# out, so that a stranger who knocks without end cannot push out what matters.
ALERTS: Final = 1 | 2 | 8 | 64 | 4194304


def ends_of(network: str) -> tuple[str, str]:
    """The first and the last address of a network."""
    found = ipaddress.ip_network(network)
    return str(found[0]), str(found[-1])


def ranges_of(*networks: str) -> tuple[tuple[str, str], ...]:
    return tuple(map(ends_of, networks))


EVERYBODY: Final = ranges_of("0.0.0.0/0", "::/0")
# Networks of one's own.
OWN_NETWORKS: Final = ranges_of(
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "fc00::/7"
)
# Where not even the swarm of one's own network leads: this machine itself, what means no single machine or one behind a
# translation, and what nobody has given out.
NEVER: Final = ranges_of(
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "224.0.0.0/3",
    "::/3",  # unspecified, loopback, v4-mapped, NAT64
    "2002::/16",  # 6to4
    "4000::/2",
    "8000::/2",
    "c000::/3",
    "e000::/4",
    "f000::/5",
    "f800::/6",
    "fe00::/7",  # link-local, site-local, multicast
)
# Where an address from the DHT or from a stranger must never lead (DESIGN §6, egress guard).
NOT_PUBLIC: Final = (*OWN_NETWORKS, *NEVER)
NEITHER_PLAIN: Final = {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2}  # forced, forced, RC4
AS_THE_OTHER_LIKES: Final = {"out_enc_policy": 1, "in_enc_policy": 1, "allowed_enc_level": 3}

_ALWAYS: Final[Mapping[str, Setting]] = {
    "alert_mask": ALERTS,
    "alert_queue_size": 10_000,
    "allow_multiple_connections_per_ip": True,  # two nodes on one machine
    "announce_to_all_trackers": False,
    "auto_manage_startup": 1,
    "enable_lsd": False,
    "listen_system_port_fallback": False,
    "max_retry_port_bind": 0,  # another port than the announced one is of no use
    "peer_fingerprint": "-TH0001-",
    "seeding_outgoing_connections": False,  # who wants bytes comes for them
    "stop_tracker_timeout": 0,
    "unchoke_slots_limit": 64,
    "urlseed_wait_retry": 1,
    "user_agent": "thorp",
    "validate_https_trackers": True,
}
# A neighbour that was switched off is noticed soon, and found again soon after it is back.
_NEAR: Final[Mapping[str, Setting]] = {
    "connection_speed": 100,
    "handshake_timeout": 10,
    "initial_picker_threshold": 0,  # not even the first pieces are picked at random: who fetches says which
    "max_failcount": 30,
    "min_reconnect_time": 2,
    "peer_connect_timeout": 5,
    "peer_timeout": 60,
    "piece_timeout": 10,
    "request_timeout": 15,
    "send_buffer_low_watermark": 512 * 1024,  # a wire of one's own house is fast: have more ready for it
    "send_buffer_watermark": 2 * 1024 * 1024,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """All an engine has to know before it starts."""

    listen: tuple[str, ...]  # addresses; none: it only calls others
    port: int  # 0: one that is free, the same on every address
    settings: Mapping[str, Setting]  # as libtorrent calls them
    private: bool  # members only: closed until opened, and no DHT, no PEX and no metadata exchange on any torrent
    denied: tuple[tuple[str, str], ...] = ()  # ranges of addresses it never speaks to


def household(listen: Sequence[str], port: int, *, encrypt: bool = False, others: bool = False) -> Profile:
    """For neighbours: TCP alone, nobody is looked for, nobody is let in before `Engine.open_to`.

    `others`: clients of other makes call, too. They try uTP first, and many give up before they try TCP.
    """
    settings: dict[str, Setting] = {
        **_ALWAYS,
        **_NEAR,
        **(NEITHER_PLAIN if encrypt else AS_THE_OTHER_LIKES),
        **_finding(dht=False, bootstrap=()),
        "enable_incoming_utp": others,
        "enable_outgoing_utp": False,
    }
    return Profile(tuple(listen), port, settings, private=True)


def public(
    listen: Sequence[str],
    port: int,
    *,
    bootstrap: Sequence[tuple[str, int]] = (),
    encrypt: bool = False,
    near: bool = False,
) -> Profile:
    """For strangers: the DHT from the given nodes, PEX, and uTP, which yields to other traffic.

    `near` lets it speak to private addresses too, for a swarm inside one's own network.
    """
    settings: dict[str, Setting] = {
        **_ALWAYS,
        **(NEITHER_PLAIN if encrypt else AS_THE_OTHER_LIKES),
        **_finding(dht=True, bootstrap=bootstrap),
        "enable_incoming_utp": True,
        "enable_outgoing_utp": True,
    }
    return Profile(tuple(listen), port, settings, private=False, denied=() if near else NOT_PUBLIC)


def is_own_network(bootstrap: Sequence[tuple[str, int]]) -> bool:
    """Whether the DHT is one of private addresses: whoever names nodes of their own network alone means that network.

    One public name among them, and strangers could send us to private addresses: then none is spoken to.
    """
    return bool(bootstrap) and all(_is_private(host) for host, _ in bootstrap)


def _is_private(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(
        int(ip_address(first)) <= int(address) <= int(ip_address(last))
        for first, last in OWN_NETWORKS
        if ip_address(first).version == address.version
    )


def interfaces(addresses: Sequence[str], port: int) -> str:
    """As libtorrent reads where to listen."""
    return ",".join(f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in addresses)


def bound_to(addresses: Sequence[str], port: int) -> dict[str, Setting]:
    """Where to listen, and from where to call: with one chosen address from there, else as the routes say."""
    return {
        "listen_interfaces": interfaces(addresses, port),
        "outgoing_interfaces": addresses[0] if len(addresses) == 1 else "",
    }


def _finding(*, dht: bool, bootstrap: Sequence[tuple[str, int]]) -> dict[str, Setting]:
    return {
        "dht_bootstrap_nodes": ",".join(f"{host}:{port}" for host, port in bootstrap),
        "enable_dht": dht,
        "enable_natpmp": False,
        "enable_upnp": False,
    }
