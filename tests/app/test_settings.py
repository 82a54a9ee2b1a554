from pathlib import Path

import pytest

from thorp.app.config import Sources, evaluate
from thorp.app.settings import CONFIG_VERSION, KEYS, MIGRATIONS, ConfigVersionError, Settings, Table, migrated
from thorp.base.settings import values_of

FIXTURES = Path(__file__).parent / "fixtures"


def test_the_first_keys_have_their_defaults() -> None:
    defaults = {key: one.default for key, one in KEYS.items()}

    assert defaults["local.host"] == "127.0.0.1"
    assert defaults["local.port"] == 8737
    assert defaults["local.open_inference"] is True
    assert defaults["mesh.port"] == 7080
    assert defaults["node.name"] == ""
    assert defaults["logs.level"] == "info"
    assert defaults["models.dir"] == ""
    assert (defaults["transfers.limit"], defaults["transfers.ranges"], defaults["transfers.parallel"]) == (0, 4, 2)
    assert values_of(Settings()) == defaults


def test_every_setting_says_in_one_line_what_it_is() -> None:
    for one in KEYS.values():
        assert one.help.endswith("."), one.key
        assert "\n" not in one.help
        assert one.help[0].isupper()


def test_how_transfers_go_changes_at_once_and_where_models_lie_does_not() -> None:
    live = {key for key, one in KEYS.items() if one.live}

    assert {"transfers.limit", "transfers.ranges", "transfers.parallel"} <= live
    assert "models.dir" not in live


def test_every_old_version_has_an_example_that_is_still_read() -> None:
    assert {path.name for path in FIXTURES.glob("config-*.toml")} == {
        f"config-{version}.toml" for version in range(1, CONFIG_VERSION + 1)
    }
    assert set(MIGRATIONS) == set(range(1, CONFIG_VERSION))


def test_version_1_is_read_as_it_was_meant() -> None:
    settings = evaluate(Sources((FIXTURES / "config-1.toml").read_text())).settings

    assert settings.node.name == "attic"
    assert (settings.local.port, settings.local.hosts) == (9737, ("attic.lan", "attic"))
    assert settings.local.open_inference is False
    assert settings.mesh.port == 7090
    assert settings.logs.level == "debug"


def rename(table: Table) -> Table:
    """An example of a step: `old` was renamed to `new`."""
    moved = {"new": table["old"]} if "old" in table else {}
    return moved | {key: value for key, value in table.items() if key != "old"}


def double(table: Table) -> Table:
    return {key: value * 2 if isinstance(value, int) else value for key, value in table.items()}


STEPS = {1: rename, 2: double}


@pytest.mark.parametrize(
    ("table", "now"),
    [
        ({"config_version": 1, "old": 5}, {"new": 10}),
        ({"old": 5}, {"new": 10}),
        ({"config_version": 2, "new": 5}, {"new": 10}),
        ({"config_version": 3, "new": 5}, {"new": 5}),
        ({"old": 5, "new": 6}, {"new": 12}),
        ({}, {}),
    ],
)
def test_each_step_from_the_written_version_on_is_taken(table: Table, now: Table) -> None:
    before = dict(table)

    assert migrated(table, STEPS, 3) == now
    assert table == before


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, 4])
def test_a_version_nobody_knows_is_refused(version: object) -> None:
    with pytest.raises(ConfigVersionError, match="config_version"):
        migrated({"config_version": version}, STEPS, 3)
