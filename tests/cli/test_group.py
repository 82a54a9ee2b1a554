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


@pytest.mark.parametrize(
    ("path", "typed", "meant"),
    [("", "start", "up"), ("", "stop", "down"), ("", "settings", "config"), ("", "key", "keys"),
     ("keys", "mak", "create"), ("keys", "lst", "list"), ("sessions", "revoke", ""), ("", "xyzzy", "")],
)  # fmt: skip
def test_the_nearest_command_is_named_by_its_name_or_by_what_it_does(path: str, typed: str, meant: str) -> None:
    group = cli.get_command(context_of(cli), path) if path else cli
    assert isinstance(group, TableGroup)
    with pytest.raises(UnknownCommandError) as caught:
        group.resolve_command(context_of(group), [typed])

    assert ("Did you mean" in caught.value.message) is bool(meant)
    assert f"Did you mean `{meant}`?" in caught.value.message or not meant


@pytest.mark.parametrize("path", [entry.path for entry in COMMANDS])
def test_what_an_option_takes_is_named_for_people(path: str) -> None:
    command: click.Command = cli
    for name in path.split():
        assert isinstance(command, TableGroup)
        found = command.get_command(context_of(command), name)
        assert found
        command = found
    shown = [one.make_metavar(context_of(command)) for one in command.params if not getattr(one, "hidden", False)]

    assert [one for one in shown if any(word in one for word in ("RANGE", "INTEGER", "FLOAT", "TEXT"))] == []


def test_a_noun_that_is_a_command_as_well_runs_it_alone() -> None:
    models = cli.get_command(context_of(cli), "models")
    keys = cli.get_command(context_of(cli), "keys")
    assert isinstance(models, TableGroup)
    assert isinstance(keys, TableGroup)

    assert models.invoke_without_command
    assert models.list_commands(context_of(models))[:2] == ["list", "show"]
    assert "Alone: List the models of this node." in models.get_help(context_of(models))
    assert not keys.invoke_without_command
    assert keys.callback is None


def test_names_are_completed_from_the_table() -> None:
    assert [item.value for item in cli.shell_complete(context_of(cli), "un")] == ["unshare", "unexpose"]
    assert {item.value: item.help for item in cli.shell_complete(context_of(cli), "k")} == {
        "keys": "API keys: make, list, revoke."
    }
    assert "--json" in [item.value for item in cli.shell_complete(context_of(cli), "--")]
