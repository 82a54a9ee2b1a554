"""Settings, declared once as fields of frozen dataclasses: type, default, help, bounds, and whether a change is live.

Reading, checking, changing and the reference page are derived from that. Reads no file and no environment itself.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar, cast, get_type_hints

from thorp.base.errors import UsageError
from thorp.base.nearest import did_you_mean

T = TypeVar("T")
Value: TypeAlias = str | int | float | bool | tuple[str, ...]

_MARK: Final = "thorp.setting"
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})
_SHOWN: Final = 80
_UNPRINTABLE: Final = frozenset({"Cc", "Cs"})  # control characters, and halves of characters


class BadValueError(UsageError):
    """A setting cannot have this value."""

    code = "config.bad_value"


class UnknownKeyError(UsageError):
    """There is no setting of this name."""

    code = "config.unknown_key"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text, or each word of a list, has to look like."""

    one: str  # in words, as in "it takes …"
    several: str
    fits: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Declared:
    """What `setting` notes beside a default."""

    help: str
    live: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    owner: bool
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting as everybody but its owner sees it."""

    key: str
    kind: type[Any]  # str, int, float, bool, tuple (of words) or a StrEnum
    default: Value
    help: str
    live: bool
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    owner: bool = False  # decides who reaches the node, so no key may change it
    shape: Shape | None = None  # an empty text fits where it is the default

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.choices:
            several = "any of " if self.kind is tuple else "one of "
            return several + ", ".join(self.choices)
        if self.shape:
            return f"a list of {self.shape.several}" if self.kind is tuple else self.shape.one
        return _KINDS[self.kind] + self._bounds()

    def _bounds(self) -> str:
        low, high = self.minimum, self.maximum
        if low is not None and high is not None:
            return f" from {low} to {high}"
        if low is not None:
            return f", {low} or more"
        if high is None:
            return ""
        return f" of at most {high} characters" if self.kind is str else f", at most {high}"


_KINDS: Final[Mapping[type[Any], str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of words",
}


def setting(  # noqa: PLR0913  (each is one property of a setting, named where it is used)
    default: T,
    help_line: str,
    *,
    live: bool = False,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    owner: bool = False,
    shape: Shape | None = None,
) -> T:
    """A field of a settings class. `live`: a change applies at once. `owner`: no key may change it.

    The bounds are those of a number; `maximum` is also how many characters a text may have.
    """
    return field(default=default, metadata={_MARK: Declared(help_line, live, choices, minimum, maximum, owner, shape)})


def fields_of(cls: type[Any], prefix: str = "") -> tuple[SettingField, ...]:
    """All settings of a class and of the sections in it, in the order they were written."""
    return tuple(_walk(cls, prefix))


def _walk(cls: type[Any], prefix: str) -> Iterator[SettingField]:
    for name, kind, declared in _members(cls):
        if is_dataclass(kind):
            yield from _walk(kind, f"{prefix}{name}.")
        else:
            yield _described(prefix + name, kind, declared)


def _members(cls: type[Any]) -> Iterator[tuple[str, type[Any], Field[Any]]]:
    hints = get_type_hints(cls)
    for one in fields(cls):
        hint = hints[one.name]
        yield one.name, tuple if hint == tuple[str, ...] else hint, one


def _described(key: str, kind: type[Any], one: Field[Any]) -> SettingField:
    declared = one.metadata.get(_MARK)
    if not isinstance(declared, Declared):
        raise TypeError(f"the setting {key} is not made by setting(…)")
    choices = declared.choices
    if issubclass(kind, StrEnum):
        choices = tuple(member.value for member in kind)
    elif kind not in _KINDS:
        raise TypeError(f"the setting {key} has a type that settings cannot have: {kind}")
    default = cast("Value", one.default)
    found = SettingField(
        key=key,
        kind=kind,
        default=default,
        help=declared.help,
        live=declared.live,
        choices=choices,
        minimum=declared.minimum,
        maximum=declared.maximum,
        owner=declared.owner,
        shape=declared.shape,
    )
    parse(found, default)
    return found


def lookup(known: Mapping[str, SettingField], key: str, where: str = "") -> SettingField:
    """The setting of this name, or an error with the nearest one."""
    if key in known:
        return known[key]
    hint = did_you_mean(key, known)
    if any(one.startswith(f"{key}.") for one in known):
        hint = f" It is a section; its settings are {', '.join(one for one in known if one.startswith(f'{key}.'))}."
    raise UnknownKeyError(f"There is no setting `{key[:_SHOWN]}`{_at(where)}.{hint}", key=key, where=where)


def parse(known: SettingField, raw: object, where: str = "") -> Value:
    """The value of a setting out of TOML or JSON. Nothing is converted that could be a mistake."""
    value = _typed(known, raw)
    if value is None or not _within(known, value):
        raise _bad(known, raw, where, quoted=_is_quoted(known, raw))
    return value


def _is_quoted(known: SettingField, raw: object) -> bool:
    """Whether a text only has to lose its quotes."""
    return known.kind in (bool, int, float) and isinstance(raw, str) and _read(known.kind, raw.strip()) is not None


def parse_text(known: SettingField, text: str, where: str = "") -> Value:
    """The value of a setting out of a variable, a flag or what a person typed."""
    value = _typed(known, _read(known.kind, text.strip()))
    if value is None or not _within(known, value):
        raise _bad(known, text, where)
    return value


def parse_either(known: SettingField, raw: object, where: str = "") -> Value:
    """A value from a face where text stands for any type: `"9000"` is as good as `9000`."""
    return parse_text(known, raw, where) if isinstance(raw, str) else parse(known, raw, where)


def plain(value: Value) -> str | int | float | bool | list[str]:
    """A value as JSON and TOML write it."""
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, StrEnum) else value


def text_of(value: Value) -> str:
    """A value as `parse_text` reads it."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def compose(cls: type[T], values: Mapping[str, Value]) -> T:
    """The settings object with these values and defaults for the rest. The values were parsed before."""
    known = {one.key: one for one in fields_of(cls)}
    for key in values:
        lookup(known, key)
    return cast("T", _composed(cls, values, ""))


def _composed(cls: type[Any], values: Mapping[str, Value], prefix: str) -> object:
    arguments: dict[str, object] = {}
    for name, kind, _ in _members(cls):
        key = prefix + name
        if is_dataclass(kind):
            arguments[name] = _composed(kind, values, f"{key}.")
        elif key in values:
            arguments[name] = values[key]
    return cls(**arguments)


def values_of(settings: object) -> dict[str, Value]:
    """The other way round: dotted keys and values of a settings object."""
    return dict(_flat(settings, ""))


def _flat(settings: object, prefix: str) -> Iterator[tuple[str, Value]]:
    for name, kind, _ in _members(type(settings)):
        value = getattr(settings, name)
        if is_dataclass(kind):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def changed(old: object, new: object) -> tuple[str, ...]:
    """Keys whose value differs between two settings objects of one class."""
    before = values_of(old)
    return tuple(key for key, value in values_of(new).items() if before[key] != value)


def _typed(known: SettingField, raw: object) -> Value | None:
    """The raw value in the setting's type, or None when it is of another kind."""
    kind = known.kind
    if issubclass(kind, StrEnum):
        return kind(raw) if isinstance(raw, str) and raw in known.choices else None
    if kind is tuple:
        words = _words(raw)
        return words if words is None or all(map(_printable, words)) else None
    if kind is str:
        return raw if isinstance(raw, str) and _printable(raw) else None
    if isinstance(raw, bool) or kind is bool:
        return raw if isinstance(raw, bool) and kind is bool else None
    if kind is float and isinstance(raw, int | float):
        return float(raw) if math.isfinite(raw) else None
    return raw if isinstance(raw, int) else None


def _words(raw: object) -> tuple[str, ...] | None:
    items = tuple(cast("Iterable[object]", raw)) if isinstance(raw, list | tuple) else (None,)
    words = tuple(item for item in items if isinstance(item, str))
    return words if len(words) == len(items) else None


def _printable(text: str) -> bool:
    """Control characters have no place in a setting; they would travel into headers, paths and terminals."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def _within(known: SettingField, value: Value) -> bool:
    if known.choices:
        given = value if isinstance(value, tuple) else (value,)
        return all(one in known.choices for one in given)
    if known.shape and value != known.default and not _shaped(known.shape, value):
        return False
    if isinstance(value, bool | tuple):
        return True
    low, high, amount = known.minimum, known.maximum, len(value) if isinstance(value, str) else value
    return (low is None or amount >= low) and (high is None or amount <= high)


def _shaped(shape: Shape, value: Value) -> bool:
    return all(shape.fits(one) for one in (value if isinstance(value, tuple) else (str(value),)))


def _read(kind: type[Any], text: str) -> object:
    """What the text says as JSON would have it; None when it says nothing of that kind."""
    if kind is bool:
        word = text.lower()
        return (word in _YES) if word in _YES | _NO else None
    if kind is int:
        return int(text) if _WHOLE.fullmatch(text) else None
    if kind is float:
        try:
            return float(text)
        except ValueError:
            return None
    if kind is tuple:
        return [word for word in (part.strip() for part in text.split(",")) if word]
    return text


def _bad(known: SettingField, raw: object, where: str, *, quoted: bool = False) -> BadValueError:
    shown = raw if isinstance(raw, str) else repr(raw)
    wrong = f"is the text `{shown[:_SHOWN]}`" if quoted else f"cannot be `{shown[:_SHOWN]}`"
    return BadValueError(
        f"`{known.key}`{_at(where)} {wrong}; it takes {known.allowed}.{' Leave out the quotes.' if quoted else ''}",
        key=known.key,
        value=shown[:_SHOWN],
        allowed=known.allowed,
        where=where,
    )


def _at(where: str) -> str:
    return f" ({where})" if where else ""
