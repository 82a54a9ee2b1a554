"""What mDNS is believed. Nodes that really speak it do so in a process of their own, on loopback (`mdns_talk`)."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.base.clock import SystemClock, SystemRandomness
from thorp.net.interfaces import Nic
from thorp.net.mdns import (
    MOST_ADDRESSES,
    SIGHTINGS_AT_ONCE,
    SIGHTINGS_PER_SECOND,
    Bucket,
    Mdns,
    NoMdnsError,
    Service,
    Sighting,
    sighting_of,
    text_of,
)
from thorp.testing.clock import FakeClock

ROOT = Path(__file__).parents[2]
SCENARIOS = ("meet", "flood", "nonsense", "conflict", "down")
NICS = (Nic("eth0", "192.168.7.20", 24, "192.168.7.255"), Nic("eth1", "169.254.9.1", 16, "169.254.255.255"))
SERVICE = Service("0123456789abcdef", 7080, 7081, "1.2.0", ("192.168.7.21",))
TEXT = {name.encode(): value.encode() for name, value in text_of(SERVICE).items()}


def sighted(addresses=("192.168.7.21",), port=7080, **changes):
    text = {**TEXT, **{name.encode(): value for name, value in changes.items()}}
    return sighting_of(text, port, addresses, NICS)


def test_what_is_shown_is_understood_and_names_nobody():
    assert sighted() == Sighting("0123456789abcdef", ("192.168.7.21",), 7080, 7081, "1.2.0")
    assert set(text_of(SERVICE)) == {"f", "tag", "swarm", "v"}


@pytest.mark.parametrize(
    "changes",
    [
        {"tag": b"0123456789ABCDEF"},
        {"tag": b"0123456789abcdef0"},
        {"tag": None},
        {"swarm": b"65536"},
        {"swarm": b"-1"},
        {"swarm": b"\xd9\xa7"},
        {"v": b""},
        {"v": b"x" * 33},
        {"v": b"\x1b[31m"},
        {"f": b"2"},
        {"port": 0},
        {"port": None},
        {"addresses": ()},
        {"addresses": ("fe80::1", "2001:db8::1")},
        {"addresses": ("8.8.8.8", "10.0.0.1", "127.0.0.1")},
        {"addresses": ("192.168.7.255", "192.168.7.0")},
    ],
    ids=str,
)
def test_E60_what_leads_nowhere_or_is_no_service_of_ours_is_not_seen(changes):
    assert sighted(**changes) is None


def test_E60_of_many_addresses_those_on_our_networks_are_taken():
    everywhere = ("172.17.0.1", "fe80::1", "169.254.3.3", "192.168.7.21", "192.168.7.21", "192.168.7.20")

    assert sighted(everywhere).addresses == ("169.254.3.3", "192.168.7.21", "192.168.7.20")
    assert len(sighted([f"192.168.7.{number}" for number in range(1, 200)]).addresses) == MOST_ADDRESSES


@given(
    st.dictionaries(st.sampled_from([b"f", b"tag", b"swarm", b"v", b"x"]), st.none() | st.binary(max_size=40)),
    st.none() | st.integers(0, 65_535),
    st.lists(st.text(max_size=20) | st.ip_addresses().map(str), max_size=5),
)
def test_E60_nothing_that_is_heard_breaks_anything(text, port, addresses):
    found = sighting_of({**TEXT, **text}, port, addresses, NICS)

    assert found is None or (found.mesh_port and set(found.addresses) <= set(addresses))


def test_a_bucket_gives_so_many_at_once_and_so_many_per_second():
    clock = FakeClock()
    bucket = Bucket(clock)

    assert sum(bucket.take() for _ in range(1000)) == SIGHTINGS_AT_ONCE
    clock.advance(1.0)
    assert sum(bucket.take() for _ in range(1000)) == SIGHTINGS_PER_SECOND
    clock.advance(10_000.0)
    assert sum(bucket.take() for _ in range(1000)) == SIGHTINGS_AT_ONCE


def test_without_a_network_nothing_is_loaded_and_nothing_runs():
    async def starting():
        one = Mdns(lambda _: None, SystemClock(), SystemRandomness())
        with pytest.raises(NoMdnsError):
            await one.start(SERVICE, ())
        await one.stop()
        assert not one.shown

    asyncio.run(starting())


def test_nothing_heavy_is_loaded_before_it_is_needed():
    told = "import sys, thorp.net.mdns; print(*{'zeroconf', 'ifaddr'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", told], env=surroundings(), capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def surroundings():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


@pytest.fixture(scope="module")
def talks():
    """All of them at once: they mostly wait."""
    run = {
        name: subprocess.Popen(
            [sys.executable, "-W", "error", Path(__file__).with_name("mdns_talk.py"), name],
            env=surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in SCENARIOS
    }
    try:
        yield {name: finished(process) for name, process in run.items()}
    finally:
        for process in run.values():
            process.kill()
            process.communicate()


def finished(process):
    out, trouble = process.communicate()
    assert process.returncode == 0, trouble.decode()
    return json.loads(out)


def test_two_nodes_see_each_other_and_their_changes_but_not_themselves(talks):
    assert talks["meet"] == {
        "first": {"2": [7002, ["127.0.0.1"], 2]},
        "second": {"1": [7001, ["127.0.0.1"], 1], "3": [7003, ["127.0.0.1"], 3]},
        "renamed": True,
        "shown": [True, True],
    }


def test_E60_a_thousand_names_and_60_kb_of_text_cost_a_bounded_number_of_looks(talks):
    assert talks["flood"] == {"bounded": True, "waiting": True, "shown": True}


def test_E60_records_of_no_use_are_passed_over(talks):
    assert talks["nonsense"] == {"seen": [99]}


def test_E60_whoever_claims_our_names_only_hides_us(talks):
    assert talks["conflict"] == {"hidden": True, "shown later": True}


def test_E60_an_interface_that_is_down_is_said_and_does_not_keep_the_others(talks):
    assert talks["down"] == {"refused": 3, "shown": True, "ended": True}
