import click
import pytest

from thorp.cli.group import TableGroup, UnknownCommandError
from thorp.cli.main import cli
from thorp.cli.table import COMMANDS


def context_of(group: click.Command) -> click.Context:
    return click.Context(group, info_name=group.name)


def test_the_tree_is_the_table() -> None:
    context = context_of(cli)
    assert isinstance(cli, TableGroup)
    keys = cli.get_command(context, "keys")
    assert isinstance(keys, TableGroup)

    assert keys.list_commands(context) == ["create", "list", "revoke"]
    assert "keys" in cli.list_commands(context)
    assert len(cli.list_commands(context)) == len({entry.path.split()[0] for entry in COMMANDS})


def test_a_command_carries_the_words_of_the_table_and_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    keys = cli.get_command(context_of(cli), "keys")
    assert isinstance(keys, TableGroup)
    for _ in range(2):  # a second look adds nothing
        create = keys.get_command(context_of(keys), "create")
        assert create
        assert create.help
        assert create.help.count("Make a key; it is shown once.") == 1
        assert "never again" in create.help

    assert "--json, --quiet, -v, --node URL" in " ".join(create.get_help(context_of(create)).split())
    assert capsys.readouterr().out == ""


def test_an_unknown_name_is_none_and_told_when_it_is_resolved() -> None:
    assert cli.get_command(context_of(cli), "nothing") is None
    with pytest.raises(UnknownCommandError, match="Did you mean `status`"):
        cli.resolve_command(context_of(cli), ["statsu"])


def test_names_are_completed_from_the_table() -> None:
    assert [item.value for item in cli.shell_complete(context_of(cli), "un")] == ["unexpose"]
    assert {item.value: item.help for item in cli.shell_complete(context_of(cli), "k")} == {
        "keys": "API keys: make, list, revoke."
    }
    assert "--json" in [item.value for item in cli.shell_complete(context_of(cli), "--")]
