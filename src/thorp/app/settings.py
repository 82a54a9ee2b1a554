"""All settings of a node in one frozen value, and the versions the file that holds them went through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from thorp.app.logs import LogSettings
from thorp.base.errors import UsageError
from thorp.base.settings import SettingField, fields_of
from thorp.mesh.settings import LanSettings
from thorp.models.settings import ModelSettings, SharingSettings, TransferSettings
from thorp.net.settings import LocalSettings, MeshSettings
from thorp.node.settings import NodeSettings
from thorp.swarm.settings import SwarmSettings

Table: TypeAlias = Mapping[str, object]
Migration: TypeAlias = Callable[[Table], Table]

VERSION_KEY: Final = "config_version"
CONFIG_VERSION: Final = 1

# From version n to n + 1. Each leaves alone what it does not know and never replaces a key that is already new,
# because a file without a version counts as version 1, whoever wrote it and when.
MIGRATIONS: Final[Mapping[int, Migration]] = MappingProxyType({})


class ConfigVersionError(UsageError):
    """The settings file is of a version this Thorp does not know."""

    code = "config.version"


@dataclass(frozen=True, slots=True)
class Settings:
    node: NodeSettings = field(default_factory=NodeSettings)
    local: LocalSettings = field(default_factory=LocalSettings)
    mesh: MeshSettings = field(default_factory=MeshSettings)
    lan: LanSettings = field(default_factory=LanSettings)
    swarm: SwarmSettings = field(default_factory=SwarmSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    transfers: TransferSettings = field(default_factory=TransferSettings)
    sharing: SharingSettings = field(default_factory=SharingSettings)
    logs: LogSettings = field(default_factory=LogSettings)


KEYS: Final[Mapping[str, SettingField]] = MappingProxyType({one.key: one for one in fields_of(Settings)})


def migrated(table: Table, migrations: Mapping[int, Migration] = MIGRATIONS, current: int = CONFIG_VERSION) -> Table:
    """The content of a settings file as the current version would have written it, without the version itself."""
    version = table.get(VERSION_KEY, 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigVersionError(f"`{VERSION_KEY}` is `{version}`; it takes a whole number, or leave it out.")
    if version > current:
        raise ConfigVersionError(
            f"The settings are of version {version}, this Thorp knows up to {current}. Start a newer Thorp, "
            f"or take out `{VERSION_KEY}` and see what `thorp config check` says."
        )
    table = {key: value for key, value in table.items() if key != VERSION_KEY}
    for step in range(version, current):
        table = migrations[step](table)
    return table
