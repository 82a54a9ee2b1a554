"""Settings on the bus."""

import asyncio
from pathlib import Path

import pytest

from thorp.app.config import ConfigFile, evaluate, sources_of
from thorp.app.config_desk import ConfigDesk, OwnersSettingError
from thorp.app.environment import Environment
from thorp.app.keeper import ConfigKeeper
from thorp.app.settings import KEYS
from thorp.base.errors import UsageError
from thorp.base.files import DISK
from thorp.identity.principals import Principal, keyed, owner
from thorp.identity.scopes import EVERY_SCOPE
from thorp.wire.capabilities.config import SettingChange, SettingKey
from thorp.wire.capability import Call, Nothing
from thorp.wire.changes import Change, ConfigChanged
from thorp.wire.model import Message


class World:
    def __init__(self, home: Path, environment: Environment | None = None) -> None:
        self.file = ConfigFile(home / "config.toml", DISK)
        sources = sources_of(self.file, environment or Environment())
        self.changes: list[Change] = []
        self.desk = ConfigDesk(ConfigKeeper(self.file, sources, evaluate(sources)), self.changes.append)


def call(message: Message, principal: Principal | None = None) -> Call:
    return Call(message, principal or owner(), "r1")


def test_every_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    world = World(tmp_path, Environment.of({"THORP_NODE_NAME": "kitchen"}))
    rows = {row.key: row for row in asyncio.run(world.desk.show(call(Nothing()))).settings}
    assert set(rows) == set(KEYS)
    assert (rows["node.name"].value, rows["node.name"].origin) == ("kitchen", "environment")
    assert rows["local.port"].origin == "default"
    assert all(row.help for row in rows.values())


def test_a_change_is_written_told_and_can_be_taken_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    answer = asyncio.run(world.desk.set(call(SettingChange(key="node.name", value="attic"))))
    assert answer.applied == ("node.name",)
    assert asyncio.run(world.desk.get(call(SettingKey(key="node.name")))).value == "attic"
    assert "attic" in (world.file.read() or "")
    asyncio.run(world.desk.unset(call(SettingKey(key="node.name"))))
    assert asyncio.run(world.desk.get(call(SettingKey(key="node.name")))).origin == "default"
    assert world.changes[0] == ConfigChanged(keys=("node.name",))


def test_what_needs_a_restart_says_so(tmp_path: Path) -> None:
    answer = asyncio.run(World(tmp_path).desk.set(call(SettingChange(key="local.port", value=9000))))
    assert (answer.applied, answer.needs_restart) == ((), ("local.port",))


def test_a_file_edited_by_hand_is_followed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.file.path.write_text('[node]\nname = "cellar"\n')
    assert asyncio.run(world.desk.reload(call(Nothing()))).applied == ("node.name",)


@pytest.mark.parametrize("key", ["node.nmae", "node", "", "../node.name"])
def test_an_unknown_key_is_refused(tmp_path: Path, key: str) -> None:
    world = World(tmp_path)
    for step in (world.desk.get(call(SettingKey(key=key))), world.desk.unset(call(SettingKey(key=key)))):
        with pytest.raises(UsageError):
            asyncio.run(step)


def test_every_capability_of_the_area_is_offered(tmp_path: Path) -> None:
    offered = {offer.capability.name for offer in World(tmp_path).desk.offers()}
    assert offered == {"config.show", "config.get", "config.set", "config.unset", "config.reload"}


OWNERS = [key for key, known in KEYS.items() if known.owner]


def test_what_decides_who_reaches_the_node_is_the_owners() -> None:
    assert set(OWNERS) == {
        "local.host",
        "local.hosts",
        "local.open_inference",
        "local.port",
        "local.expose_host",
        "local.expose_port",
        "local.expose_plain",
        "lan.enabled",
        "lan.interfaces",
        "mesh.host",
        "mesh.port",
        "models.dir",
        "swarm.bootstrap",
        "swarm.hosts",
        "swarm.port",
        "swarm.public",
        "swarm.public_port",
        "swarm.tracker",
        "swarm.tracker_port",
    }


@pytest.mark.parametrize("key", OWNERS)
def test_no_key_opens_the_node_further(tmp_path: Path, key: str) -> None:
    world, every_key = World(tmp_path), keyed("k1", EVERY_SCOPE)
    for step in (
        world.desk.set(call(SettingChange(key=key, value="x"), every_key)),
        world.desk.unset(call(SettingKey(key=key), every_key)),
    ):
        with pytest.raises(OwnersSettingError):
            asyncio.run(step)
    assert world.file.read() is None


def test_a_key_may_change_what_opens_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    asyncio.run(world.desk.set(call(SettingChange(key="node.name", value="attic"), keyed("k1", EVERY_SCOPE))))
    assert "attic" in (world.file.read() or "")
