import importlib

import click
import pytest

from thorp.cli.table import COMMANDS, NOUNS, SECTIONS, Entry
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import NounRoute


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.path)
def test_every_entry_leads_to_a_command(entry: Entry) -> None:
    module, _, attribute = entry.target.partition(":")

    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def test_every_command_is_shown_in_one_section() -> None:
    first_words = {entry.path.split()[0] for entry in COMMANDS}
    shown = [name for section in SECTIONS for name in section.names]

    assert sorted(shown) == sorted(first_words)
    assert set(NOUNS) == {entry.path.split()[0] for entry in COMMANDS if " " in entry.path}


def test_help_is_one_sentence() -> None:
    for text in (*(entry.help for entry in COMMANDS), *NOUNS.values()):
        assert text.endswith(".")
        assert len(text) < 72


TWINLESS = {
    ("GET", "/api/v1/node"),  # part of what `thorp status` shows
}


def test_every_command_that_talks_to_the_node_has_its_twin_and_the_other_way_round() -> None:
    twins = {twin for entry in COMMANDS for twin in entry.twins}
    routes = {(route.method, route.path) for route in EVERY_ROUTE}
    nouns = {(route.method, route.path) for route in EVERY_ROUTE if isinstance(route, NounRoute)}

    assert twins - routes == set()
    assert nouns - twins == TWINLESS
