"""A change that gives two listeners one port is refused, as long as both are turned on."""

from dataclasses import replace
from typing import Any

import pytest

from thorp.app.own_ports import clashes
from thorp.app.settings import Settings
from thorp.mesh.settings import LanSettings
from thorp.net.settings import LocalSettings, MeshSettings
from thorp.node.settings import NodeSettings
from thorp.swarm.settings import SwarmSettings

OFF = {"lan": LanSettings(enabled=False)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ()),
        ({"mesh": MeshSettings(port=7081)}, ("mesh.port", "swarm.port")),
        ({"local": LocalSettings(port=7080)}, ("local.port", "mesh.port")),
        ({"local": LocalSettings(port=7080), **OFF}, ()),
        ({"local": LocalSettings(port=7082)}, ()),
        ({"local": LocalSettings(port=7082), "swarm": SwarmSettings(tracker=True)}, ("swarm.tracker_port",)),
        ({"local": LocalSettings(port=6881)}, ()),
        ({"local": LocalSettings(port=6881), "swarm": SwarmSettings(public=True)}, ("swarm.public_port",)),
        ({"local": LocalSettings(expose_port=8737)}, ()),
        ({"local": LocalSettings(expose_port=8737, expose_host="0.0.0.0")}, ("local.expose_port",)),
        ({"local": LocalSettings(expose_port=7080, expose_host="0.0.0.0")}, ("local.expose_port", "mesh.port")),
        ({"mesh": MeshSettings(port=0), "swarm": SwarmSettings(port=0)}, ()),
    ],
)
def test_two_that_are_turned_on_may_not_have_one_port(changes: dict[str, Any], named: tuple[str, ...]) -> None:
    said = clashes(Settings(), replace(Settings(), **changes))
    assert bool(said) is bool(named)
    assert all(f"`{one}`" in " ".join(said) for one in named)


def test_a_clash_that_is_there_already_stands_in_no_other_changes_way() -> None:
    there = replace(Settings(), local=LocalSettings(port=7081))
    assert clashes(there, there) == ()
    assert clashes(there, replace(there, node=NodeSettings(name="attic"))) == ()
    assert clashes(there, replace(there, mesh=MeshSettings(port=7081)))
