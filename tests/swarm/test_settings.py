"""What the settings of the swarm take, and what they refuse."""

import pytest

from thorp.base.settings import BadValueError, SettingField, fields_of, parse
from thorp.swarm.settings import SwarmSettings, entrance_of, is_entrance, is_ipv4


def known(name: str) -> SettingField:
    return next(one for one in fields_of(SwarmSettings, "swarm.") if one.key == f"swarm.{name}")


@pytest.mark.parametrize("text", ["192.168.7.20", "10.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_machines_are_named_by_ipv4_addresses(text: str) -> None:
    assert is_ipv4(text)
    assert parse(known("hosts"), [text]) == (text,)


@pytest.mark.parametrize("text", ["", "::1", "host.example", "192.168.7", "192.168.7.20/24", "192.168.7.020", "1 "])
def test_everything_else_is_no_machine(text: str) -> None:
    assert not is_ipv4(text)
    with pytest.raises(BadValueError, match="IPv4 address"):
        parse(known("hosts"), [text])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("router.example:6881", ("router.example", 6881)),
        ("10.0.0.1:1", ("10.0.0.1", 1)),
        ("a:65535", ("a", 65535)),
        ("x-1.y:7", ("x-1.y", 7)),
    ],
)
def test_an_entrance_is_a_host_and_a_port(text: str, parts: tuple[str, int]) -> None:
    assert entrance_of(text) == parts
    assert is_entrance(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:000001",
        "host:+1",
        "host:²",
        "host:٣",
        "-host:1",
        "ho st:1",
        "host/x:1",
        "10.0.0.256:1",
        "::1:1",
        "[::1]:1",
        "a,b:1",
        "." * 9 + ":1",
        "a" * 254 + ":1",
    ],
)
def test_everything_else_is_no_entrance(text: str) -> None:
    assert entrance_of(text) is None
    with pytest.raises(BadValueError):
        parse(known("bootstrap"), [text])


@pytest.mark.parametrize("name", ["port", "tracker_port", "public_port"])
def test_ports_are_ports(name: str) -> None:
    assert [parse(known(name), port) for port in (0, 65535)] == [0, 65535]
    for port in (-1, 65536, "7081"):
        with pytest.raises(BadValueError):
            parse(known(name), port)


@pytest.mark.parametrize("name", ["upload", "public_upload"])
def test_limits_are_not_negative(name: str) -> None:
    assert parse(known(name), 0) == 0
    with pytest.raises(BadValueError):
        parse(known(name), -1)


def test_an_empty_file_means_members_only_and_nobody_on_the_internet() -> None:
    found = SwarmSettings()

    assert (found.tracker, found.public, found.hosts, found.bootstrap) == (False, False, (), ())
    assert (found.upload, found.public_upload, found.encrypt) == (0, 0, False)
    assert len({found.port, found.tracker_port, found.public_port}) == 3


def test_who_may_fetch_and_what_is_open_is_the_owners_alone() -> None:
    owned = {one.key.removeprefix("swarm.") for one in fields_of(SwarmSettings, "swarm.") if one.owner}

    assert owned == {"port", "tracker", "tracker_port", "hosts", "public", "public_port", "bootstrap"}
