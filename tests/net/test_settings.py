import ipaddress

from thorp.base.settings import compose, fields_of
from thorp.net.settings import LocalSettings, MeshSettings

FIELDS = {
    one.key: one for part, cls in (("local.", LocalSettings), ("mesh.", MeshSettings)) for one in fields_of(cls, part)
}


def test_by_default_only_this_machine_is_listened_to_for_the_owner():
    local = compose(LocalSettings, {})
    assert ipaddress.ip_address(local.host).is_loopback
    assert (local.port, local.hosts, local.open_inference) == (8737, (), True)
    assert (local.expose_host, local.expose_port, local.expose_plain) == ("", 8738, False)
    assert compose(MeshSettings, {}).port == 7080


def test_the_two_fixed_addresses_change_at_the_next_start_and_everything_else_at_once():
    fixed = {"local.host", "local.port", "mesh.host", "mesh.port"}
    assert {key for key, one in FIELDS.items() if not one.live} == fixed


def test_ports_are_ports():
    ports = [one for key, one in FIELDS.items() if key.endswith("port")]
    assert [(one.minimum, one.maximum) for one in ports] == [(0, 65535)] * 3
