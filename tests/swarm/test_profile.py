from collections.abc import Iterable
from ipaddress import ip_address

import libtorrent
import pytest

from thorp.swarm.profile import ALERTS, NEVER, NOT_PUBLIC, bound_to, household, interfaces, is_own_network, public

PROFILES = [household(("10.0.0.2",), 7), household((), 0, encrypt=True), public(("10.0.0.2",), 7)]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_engine_knows_every_setting_and_its_kind(profile):
    known = libtorrent.default_settings()
    for name, value in profile.settings.items():
        assert type(value) is type(known[name]), name


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_is_looked_for_with_multicast_or_asked_of_the_router(profile):
    for name in ("enable_lsd", "enable_upnp", "enable_natpmp"):
        assert profile.settings[name] is False


def test_E76_the_household_looks_for_nobody():
    profile = household(("10.0.0.2",), 7)
    assert profile.private
    assert profile.settings["dht_bootstrap_nodes"] == ""
    for name in ("enable_dht", "enable_incoming_utp", "enable_outgoing_utp"):
        assert profile.settings[name] is False


def test_the_public_engine_knows_no_node_unless_told():
    assert public((), 0).settings["dht_bootstrap_nodes"] == ""
    told = public((), 0, bootstrap=[("router.example", 6881), ("10.0.0.9", 1)])
    assert told.settings["dht_bootstrap_nodes"] == "router.example:6881,10.0.0.9:1"
    assert told.settings["enable_outgoing_utp"] is told.settings["enable_dht"] is True
    assert not told.private


def test_encrypting_is_forced_or_left_to_the_other():
    words, levels = libtorrent.enc_policy, libtorrent.enc_level
    forced, left = household((), 0, encrypt=True).settings, household((), 0).settings
    assert (forced["out_enc_policy"], forced["in_enc_policy"]) == (int(words.pe_forced), int(words.pe_forced))
    assert forced["allowed_enc_level"] == int(levels.pe_rc4)
    assert (left["out_enc_policy"], left["in_enc_policy"]) == (int(words.pe_enabled), int(words.pe_enabled))
    assert left["allowed_enc_level"] == int(levels.pe_both)


def test_the_alerts_are_the_few_that_are_read():
    words = libtorrent.alert_category
    read = words.error | words.peer | words.storage | words.status | words.piece_progress
    assert read == ALERTS
    assert not ALERTS & (words.connect | words.ip_block | words.stats | words.upload)


def test_addresses_are_written_as_the_engine_reads_them():
    assert interfaces(["10.0.0.2", "fd00::1"], 80) == "10.0.0.2:80,[fd00::1]:80"
    assert interfaces([], 80) == ""


def test_one_chosen_address_is_also_the_one_that_calls():
    assert bound_to(["10.0.0.2"], 1)["outgoing_interfaces"] == "10.0.0.2"
    assert bound_to(["10.0.0.2", "10.1.0.2"], 1)["outgoing_interfaces"] == ""
    assert bound_to([], 1)["outgoing_interfaces"] == ""


OWN = ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "fc00::1", "fd00::1", "fdff::1"]
ANYBODYS = ["1.1.1.1", "172.32.0.1", "198.20.0.1", "2001:4860::1", "3fff::1"]
NOBODYS = [
    "0.0.0.0",
    "127.0.0.1",
    "169.254.169.254",
    "192.0.0.8",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "4000::1",
    "8000::1",
    "bfff::1",
    "c000::1",
    "e000::1",
    "f000::1",
    "f800::1",
    "fbff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def is_in(address: str, ranges: Iterable[tuple[str, str]]) -> bool:
    where = ip_address(address)
    ends = [(ip_address(first), ip_address(last)) for first, last in ranges]
    return any(first.version == where.version and first <= where <= last for first, last in ends)


@pytest.mark.parametrize("address", OWN + ANYBODYS + NOBODYS)
def test_private_addresses_are_none_of_the_public_engines_business(address):
    assert is_in(address, NOT_PUBLIC) is (address not in ANYBODYS)


@pytest.mark.parametrize("address", OWN + ANYBODYS + NOBODYS)
def test_the_swarm_of_ones_own_network_never_leads_to_this_machine_or_to_many(address):
    assert is_in(address, NEVER) is (address in NOBODYS)


@pytest.mark.parametrize("address", OWN + ANYBODYS + NOBODYS)
def test_a_dht_is_of_ones_own_network_when_every_way_into_it_is(address):
    assert is_own_network([(address, 1)]) is (address in OWN)
    assert is_own_network([("10.0.0.9", 1), (address, 1)]) is (address in OWN)
