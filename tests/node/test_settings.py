import pytest

from thorp.base.settings import fields_of
from thorp.node.settings import NodeSettings


@pytest.mark.parametrize(
    ("name", "host_name", "shown"),
    [("attic", "box", "attic"), ("", "box.example.org", "box"), ("", "", "node")],
)
def test_a_node_without_a_name_is_called_by_its_host(name: str, host_name: str, shown: str) -> None:
    assert NodeSettings(name=name).shown_name(host_name) == shown


def test_the_default_is_the_same_on_every_machine() -> None:
    assert [(one.key, one.default) for one in fields_of(NodeSettings, "node.")] == [("node.name", "")]
