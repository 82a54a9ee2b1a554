import ipaddress
import os
import subprocess
import sys

import pytest

from thorp.net.addresses import is_any


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False), ("attic.local", False), ("", False)],
)
def test_an_address_that_stands_for_all_is_known(host, expected):
    assert is_any(host) is expected


def test_the_machines_own_address_is_one_it_can_be_reached_at_or_none():
    """In a process of its own: it names a far address to the system, and sends nothing there."""
    asking = "from thorp.net.addresses import own_address; print(own_address() or '')"
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", asking], env=paths, capture_output=True, text=True, check=True)
    found = told.stdout.strip()
    assert not found or not ipaddress.ip_address(found).is_unspecified
