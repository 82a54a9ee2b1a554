import ipaddress

import pytest

from thorp.base.settings import BadValueError, compose, fields_of, parse, parse_text
from thorp.net.settings import LocalSettings, MeshSettings, is_address, is_host

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


@pytest.mark.parametrize(
    "text",
    [
        "attic",
        "attic.lan",
        "Attic.LAN",
        "attic.lan.",
        "my_nas",
        "xn--dachbden-p4a.lan",
        "d\u00e4chle",
        "4u",
        "127.0.0.1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "a" * 63,
    ],
)
def test_names_and_addresses_are_hosts(text):
    assert is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://x/y",
        "a b",
        "attic:8737",
        "attic/",
        "*.lan",
        "[::1]",
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "256.1.1.1",
        "8737",
        "a" * 64,
        "a." * 127 + "a",
        "user@attic",
        "at\u00a0tic",
    ],
)
def test_what_is_more_or_less_than_a_name_is_no_host(text):
    assert not is_host(text)


@pytest.mark.parametrize(
    ("text", "verdict"), [("0.0.0.0", True), ("::1", True), ("localhost", True), ("banana", False)]
)
def test_an_address_is_no_name(text, verdict):
    assert is_address(text) is verdict


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("local.hosts", "attic,http://x/y"),
        ("local.expose_host", "a b"),
        ("mesh.host", "banana"),
        ("local.host", "banana"),
        ("local.host", ""),
    ],
)
def test_where_nothing_could_listen_or_answer_is_refused(key, text):
    with pytest.raises(BadValueError, match="IP address"):
        parse_text(FIELDS[key], text)


def test_every_default_and_the_empty_exposure_stay_legal():
    assert all(parse(one, one.default) == one.default for one in FIELDS.values())
    assert parse_text(FIELDS["local.expose_host"], "") == ""
    assert parse_text(FIELDS["local.expose_host"], "attic.lan") == "attic.lan"
