import pytest

from thorp.base.settings import BadValueError, fields_of, parse
from thorp.node.settings import NodeSettings


@pytest.mark.parametrize(
    ("name", "host_name", "shown"),
    [("attic", "box", "attic"), ("", "box.example.org", "box"), ("", "", "node")],
)
def test_a_node_without_a_name_is_called_by_its_host(name: str, host_name: str, shown: str) -> None:
    assert NodeSettings(name=name).shown_name(host_name) == shown


def test_the_default_is_the_same_on_every_machine() -> None:
    assert [(one.key, one.default) for one in fields_of(NodeSettings, "node.")] == [
        ("node.name", ""),
        ("node.auto_start", True),
    ]


@pytest.mark.parametrize("name", ["x" * 65, "two\nlines", "\x9b"])
def test_a_name_is_short_and_can_be_printed(name: str) -> None:
    known, _ = fields_of(NodeSettings, "node.")

    assert parse(known, "x" * 64) == "x" * 64
    with pytest.raises(BadValueError):
        parse(known, name)
