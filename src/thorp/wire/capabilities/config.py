"""The owner's settings, seen and changed while the node runs."""

from pydantic import Field, JsonValue

from thorp.identity.scopes import Scope
from thorp.wire.capability import Capability, Example, Idempotent, Nothing
from thorp.wire.model import Message


class SettingRow(Message):
    key: str
    value: JsonValue
    origin: str = Field(description="default, file, environment or flag.")
    default: JsonValue
    live: bool = Field(description="Whether a change applies at once; else at the next start.")
    help: str


class ConfigAnswer(Message):
    settings: tuple[SettingRow, ...]
    needs_restart: tuple[str, ...]


CONFIG_SHOW = Capability(
    name="config.show",
    version="1.0",
    summary="Lists every setting with its value and where the value comes from.",
    request=Nothing,
    answer=ConfigAnswer,
    scope=Scope.CONFIG_WRITE,
    idempotent=Idempotent.YES,
    examples=(Example(input={}),),
)


class SettingKey(Message):
    key: str = Field(description="For example `local.port`.")


CONFIG_GET = Capability(
    name="config.get",
    version="1.0",
    summary="One setting with its value and where the value comes from.",
    request=SettingKey,
    answer=SettingRow,
    scope=Scope.CONFIG_WRITE,
    idempotent=Idempotent.YES,
    examples=(Example(input={"key": "local.port"}),),
)


class SettingChange(Message):
    key: str = Field(description="For example `local.port`.")
    value: JsonValue


class ChangeAnswer(Message):
    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]
    shadowed: tuple[str, ...] = Field(description="Written, but a variable or flag of this run wins.")


CONFIG_SET = Capability(
    name="config.set",
    version="1.0",
    summary="Changes one setting: reviewed by everything it touches, written, then applied or marked for a restart.",
    request=SettingChange,
    answer=ChangeAnswer,
    scope=Scope.CONFIG_WRITE,
    idempotent=Idempotent.YES,
)

CONFIG_UNSET = Capability(
    name="config.unset",
    version="1.0",
    summary="Takes one setting out of the file, back to its default.",
    request=SettingKey,
    answer=ChangeAnswer,
    scope=Scope.CONFIG_WRITE,
    idempotent=Idempotent.YES,
)

CONFIG_RELOAD = Capability(
    name="config.reload",
    version="1.0",
    summary="Reads the settings file again after it was edited by hand.",
    request=Nothing,
    answer=ChangeAnswer,
    scope=Scope.CONFIG_WRITE,
    idempotent=Idempotent.YES,
)
