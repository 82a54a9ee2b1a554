"""Changes single keys in the text of the settings file. Comments, order and layout stay as their author left them."""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final, cast

from thorp.app.config import NotTomlError, flat, read_table
from thorp.app.settings import KEYS
from thorp.base.errors import InternalError
from thorp.base.lazy import LazyModule
from thorp.base.settings import Value, lookup, plain

_TOMLKIT: Final = LazyModule("tomlkit")
BLANK_END: Final = re.compile(r"(\r?\n)(?:\r?\n)+\Z")


class EditError(InternalError):
    """An edit would have changed more than was asked for."""

    code = "config.edit"


def set_key(text: str, key: str, value: Value) -> str:
    """The text with this setting in it."""
    lookup(KEYS, key)
    section, _, name = key.rpartition(".")
    document = _parsed(text)
    table = _section(document, section)
    if name in table:
        table[name] = plain(value)
    else:
        _add(table, name, plain(value))
    return _proven(text, str(document.as_string()), {key: plain(value)})


def unset_key(text: str, key: str) -> str:
    """The text without this key, which may be a mistake that is to be mended, and without sections left empty."""
    before = dict(flat(read_table(text)))
    if key not in before:
        lookup(KEYS, key)
        return text
    document = _parsed(text)
    section_went = _take_out(document, key.split("."))
    after = str(document.as_string())
    if section_went:
        after = BLANK_END.sub(r"\1", after)
    return _proven(text, after, {key: None})


def edited(text: str, changes: Mapping[str, Value | None]) -> str:
    """Several changes at once; None takes a key out."""
    for key, value in changes.items():
        text = unset_key(text, key) if value is None else set_key(text, key, value)
    return text


def _parsed(text: str) -> Any:
    try:
        return _TOMLKIT.load().parse(text)
    except _TOMLKIT.load().exceptions.TOMLKitError as error:
        raise NotTomlError(f"The settings file is not TOML: {error}.") from None


def _section(table: MutableMapping[str, Any], dotted: str) -> MutableMapping[str, Any]:
    for name in dotted.split(".") if dotted else ():
        inner: object = table.setdefault(name, _TOMLKIT.load().table())
        if not isinstance(inner, MutableMapping):
            raise NotTomlError(f"`{dotted}` should be a section of the settings file and is a value. Edit it by hand.")
        table = cast("MutableMapping[str, Any]", inner)
    return table


def _take_out(table: MutableMapping[str, Any], names: Sequence[str]) -> bool:
    """Delete a key, and each section that holds nothing any more, not even a comment. Answers whether one went."""
    name, *rest = names
    inner = table[name]
    if rest:
        section_went = _take_out(inner, rest)
        if _holds_something(inner):
            return section_went
    del table[name]
    return bool(rest)


def _holds_something(section: Any) -> bool:
    if section or not hasattr(section, "as_string"):  # of a section in several places nobody knows the comments
        return True
    return "#" in section.as_string() + section.trivia.comment


def _add(table: MutableMapping[str, Any], name: str, value: object) -> None:
    """Append a key, but before the blank lines and comments at the end, which belong to what follows."""
    body = getattr(getattr(table, "value", None), "body", None)
    trailing = list(_without_key(body)) if body else []
    table[name] = value
    for item in reversed(trailing):
        cast("Any", table).value.append(None, item)


def _without_key(body: list[tuple[object, object]]) -> Iterator[object]:
    while body and body[-1][0] is None:
        yield body.pop()[1]


def _proven(before: str, after: str, changes: Mapping[str, object]) -> str:
    """The new text, after reading it again: it says what was asked for and nothing else has moved."""
    wanted = {**dict(flat(read_table(before))), **changes}
    found = dict(flat(read_table(after)))
    if _settled(found) != _settled(wanted):
        raise EditError("The settings file is laid out in a way this change cannot keep. Use `thorp config edit`.")
    return after


def _settled(keys: Mapping[str, object]) -> dict[str, object]:
    """Without keys taken out and without empty sections."""
    return {key: value for key, value in keys.items() if value is not None and value != {}}
