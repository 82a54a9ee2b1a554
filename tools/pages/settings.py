"""The page of settings."""

from collections.abc import Iterator

from thorp.app.environment import variable_of
from thorp.app.settings import Settings
from thorp.base.settings import SettingField, fields_of, text_of
from tools.pages.page import Named, Page, code, document, table

INTRODUCTION = """What `config.toml` may hold. An empty file works. A default is overridden by the file, the file by the
environment, the environment by a flag; `thorp config show --origin` says which of them spoke."""


def text() -> str:
    sections: dict[str, list[SettingField]] = {}
    for one in fields_of(Settings):
        sections.setdefault(one.key.rpartition(".")[0], []).append(one)
    return document("Settings", INTRODUCTION, *(section(name, rows) for name, rows in sections.items()))


def names() -> Iterator[Named]:
    return (Named(one.key) for one in fields_of(Settings))


def section(name: str, settings: list[SettingField]) -> str:
    rows = [
        (
            code(one.key),
            one.allowed,
            code(text_of(one.default)) or "empty",
            "at once" if one.live else "at the next start",
            one.help,
            code(variable_of(one.key)),
        )
        for one in settings
    ]
    return f"## {code(name)}\n\n" + table(("key", "takes", "default", "applies", "meaning", "environment"), rows)


PAGE = Page("settings.md", text, names)
