"""The owner's settings, offered on the bus."""

from collections.abc import Callable
from typing import cast

from pydantic import JsonValue

from thorp.app.config import Effective
from thorp.app.keeper import ChangeOutcome, ConfigKeeper
from thorp.app.settings import KEYS
from thorp.base.errors import NotAllowedError
from thorp.base.settings import lookup, plain
from thorp.identity.principals import Principal
from thorp.wire.capabilities.config import (
    CONFIG_GET,
    CONFIG_RELOAD,
    CONFIG_SET,
    CONFIG_SHOW,
    CONFIG_UNSET,
    ChangeAnswer,
    ConfigAnswer,
    SettingChange,
    SettingKey,
    SettingRow,
)
from thorp.wire.capability import Call, Nothing, Offer
from thorp.wire.changes import Change, ConfigChanged


class OwnersSettingError(NotAllowedError):
    """A setting that opens the node further than any key may."""

    code = "config.owners_setting"


class ConfigDesk:
    def __init__(self, keeper: ConfigKeeper, announce: Callable[[Change], None]) -> None:
        self._keeper = keeper
        self._announce = announce

    async def show(self, _call: Call[Nothing]) -> ConfigAnswer:
        rows = tuple(row(self._keeper.effective, key) for key in KEYS)
        return ConfigAnswer(settings=rows, needs_restart=self._keeper.needs_restart)

    async def get(self, call: Call[SettingKey]) -> SettingRow:
        return row(self._keeper.effective, lookup(KEYS, call.input.key).key)

    async def set(self, call: Call[SettingChange]) -> ChangeAnswer:
        return await self._changed(call.principal, call.input.key, call.input.value)

    async def unset(self, call: Call[SettingKey]) -> ChangeAnswer:
        return await self._changed(call.principal, call.input.key, None)

    async def reload(self, _call: Call[Nothing]) -> ChangeAnswer:
        return self._told(await self._keeper.reload())

    async def _changed(self, principal: Principal, key: str, value: JsonValue) -> ChangeAnswer:
        if lookup(KEYS, key).owner and not principal.is_owner:
            raise OwnersSettingError(
                f"`{key}` decides who reaches this node; only the owner may change it, never a key.", key=key
            )
        return self._told(await self._keeper.change({key: value}))

    def _told(self, outcome: ChangeOutcome) -> ChangeAnswer:
        self._announce(ConfigChanged(keys=outcome.applied, needs_restart=outcome.needs_restart))
        return ChangeAnswer(applied=outcome.applied, needs_restart=outcome.needs_restart, shadowed=outcome.shadowed)

    def offers(self) -> tuple[Offer, ...]:
        return (
            Offer(CONFIG_SHOW, unary=self.show),
            Offer(CONFIG_GET, unary=self.get),
            Offer(CONFIG_SET, unary=self.set),
            Offer(CONFIG_UNSET, unary=self.unset),
            Offer(CONFIG_RELOAD, unary=self.reload),
        )


def row(effective: Effective, key: str) -> SettingRow:
    known, held = KEYS[key], effective.held[key]
    return SettingRow(
        key=key,
        value=cast("JsonValue", plain(held.value)),
        origin=held.origin.value,
        default=cast("JsonValue", plain(known.default)),
        live=known.live,
        help=known.help,
    )
