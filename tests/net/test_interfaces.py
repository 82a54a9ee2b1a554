import ipaddress

import pytest

from thorp.net.interfaces import ALONE, MOST_NICS, Nic, Row, choose, lan_interfaces, on_a_network

LO = Row("lo", "127.0.0.1", 8)
ETH = Row("eth0", "192.168.7.20", 24)
WLAN = Row("wlan0", "10.1.2.3", 16)
BRIDGES = [
    Row("docker0", "172.17.0.1", 16),
    Row("br-0123456789ab", "172.18.0.1", 16),
    Row("veth12ab", "169.254.3.4", 16),
    Row("virbr0", "192.168.122.1", 24),
]


def names(nics):
    return [nic.name for nic in nics]


def test_E60_networks_that_lead_to_other_machines_are_taken_and_bridges_to_containers_are_not():
    found = choose([WLAN, *BRIDGES, LO, ETH], ())

    assert found == (Nic("eth0", "192.168.7.20", 24, "192.168.7.255"), Nic("wlan0", "10.1.2.3", 16, "10.1.255.255"))


@pytest.mark.parametrize("row", [LO, *BRIDGES, Row("tun0", "100.64.0.7", ALONE)], ids=str)
def test_what_the_owner_names_is_taken_alone_whatever_it_is(row):
    assert names(choose([LO, ETH, row, WLAN], {row.name})) == [row.name]
    assert names(choose([ETH, row, WLAN], {row.address})) == [row.name]
    assert row.name not in names(choose([ETH, row], ()))


def test_a_bridge_that_a_person_made_counts():
    assert names(choose([Row("br-lan", "192.168.1.1", 24), Row("br0", "192.168.2.1", 24)], ())) == ["br-lan", "br0"]


def test_a_second_address_belongs_to_its_interface():
    second = Row("eth0:1", "192.168.8.20", 24)

    assert names(choose([ETH, second, WLAN], {"eth0"})) == ["eth0", "eth0:1"]
    assert choose([Row("docker0:1", "172.17.0.9", 16)], ()) == ()


def test_E60_an_interface_without_ipv4_or_with_nonsense_is_passed_over():
    rows = [
        Row("eth1", "fe80::1", 64),
        Row("eth2", "0.0.0.0", 24),
        Row("eth3", "224.0.0.1", 4),
        Row("eth4", "10.0.0.1", 0),
    ]

    assert choose([*rows, Row("eth5", "x", 24), ETH], ()) == choose([ETH], ())
    assert choose([*rows, ETH], {"eth9"}) == ()


def test_E60_there_is_an_end_to_interfaces():
    rows = [Row(f"eth{number}", f"10.0.{number}.1", 24) for number in range(5 * MOST_NICS)]

    assert len(choose(rows, ())) == MOST_NICS


@pytest.mark.parametrize(("prefix", "broadcast"), [(30, "10.0.0.3"), (31, ""), (8, "10.255.255.255")])
def test_small_networks_have_no_broadcast(prefix, broadcast):
    (nic,) = choose([Row("eth0", "10.0.0.1", prefix)], ())

    assert nic.broadcast == broadcast
    assert ipaddress.ip_address(nic.address) in nic.network


@pytest.mark.parametrize(
    ("address", "is_there"),
    [
        ("192.168.7.21", True),
        ("192.168.8.21", False),
        ("192.168.7.255", False),
        ("192.168.7.0", False),
        ("10.9.9.9", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("nowhere.example", False),
        ("", False),
        ("10.0.0.0", True),
        ("10.0.0.1", True),
    ],
)
def test_whether_an_address_is_on_a_network_of_ours(address, is_there):
    nics = choose([ETH, Row("ppp0", "10.0.0.1", 31)], ())

    assert on_a_network(address, nics) is is_there


def test_the_system_tells_of_loopback_when_asked_by_name():
    (loopback,) = lan_interfaces({"127.0.0.1"})

    assert (loopback.address, loopback.prefix) == ("127.0.0.1", 8)
    assert all(not ipaddress.ip_address(nic.address).is_loopback for nic in lan_interfaces())
