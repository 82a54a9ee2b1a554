from pathlib import Path

from thorp.app.environment import Environment
from thorp.app.paths import paths_of
from thorp.cli.here import ThisMachine


def test_the_owner_decides_whether_a_node_starts_by_itself(home: Path) -> None:
    paths = paths_of(Environment(home=home))
    by_variable = Environment.of({"THORP_HOME": str(home), "THORP_NODE_AUTO_START": "false"})

    assert ThisMachine().starts_by_itself(paths, Environment(home=home))
    assert not ThisMachine().starts_by_itself(paths, by_variable)


def test_a_token_is_kept_and_forgotten(home: Path) -> None:
    paths = paths_of(Environment(home=home))
    here = ThisMachine()
    here.keep_token(paths, "hf_abcdefgh")

    assert here.forget_token(paths)
    assert not here.forget_token(paths)


def test_an_empty_machine_has_an_empty_library(home: Path) -> None:
    environment = Environment(home=home)
    paths = paths_of(environment)

    assert ThisMachine().library(paths, environment)["models"] == []
    assert ThisMachine().complete(paths, environment, "org/repo:q4_k_m", None, None) is None
    with ThisMachine().caller(paths, environment) as caller:
        assert caller.here
        assert caller.call("library.list")["models"] == []
