import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from thorp.cli.capabilities import mark

ROW = {
    "id": "node.echo@1.0", "name": "node.echo", "version": "1.0", "summary": "Says back what it is told.",
    "trust": "member", "scope": "node:read", "mesh": True, "idempotent": "yes", "streamed": True,
    "schema_hash": "00", "listed": True, "reason": "",
}  # fmt: skip
UNLISTED = ROW | {"id": "llm.chat@1.0", "listed": False, "reason": "no slot is ready", "scope": None}


def test_what_the_node_can_and_cannot_do_is_told(thorp: Thorp, node: FakeNode) -> None:
    node.says("GET", "/api/v1/capabilities", {"capabilities": [ROW, UNLISTED]})
    found = thorp("capabilities")

    assert "node.echo@1.0" in found.out
    assert "llm.chat" not in found.out
    assert "Not listed: llm.chat@1.0: no slot is ready" in found.err
    assert thorp("capabilities", "--json").json == {"capabilities": [ROW, UNLISTED]}


@pytest.mark.parametrize(("value", "shown"), [(True, "yes"), (False, ""), (None, "")])
def test_a_yes_is_marked(value: object, shown: str) -> None:
    assert mark(value) == shown
