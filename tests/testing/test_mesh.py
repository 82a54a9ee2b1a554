import pytest

from thorp.net.mesh_line import NotThisNodeError, Target
from thorp.net.outward_errors import OutwardUnreachableError
from thorp.testing.mesh import FakeNode, House


def test_lines_lead_to_the_expected_node_and_to_nobody_else() -> None:
    house = House()
    node, other = FakeNode(house, 1), FakeNode(house, 2)

    assert house.line(node.target).node == node.id
    with pytest.raises(NotThisNodeError):
        house.line(Target(node.address, 1, frozenset({other.id})))
    with pytest.raises(OutwardUnreachableError):
        house.line(Target("127.0.0.9", 1, frozenset({node.id})))


def test_a_closed_line_answers_nobody() -> None:
    house = House()
    line = house.line(FakeNode(house, 1).target)
    line.close()

    with pytest.raises(AssertionError, match="closed"):
        line.ask("GET", "/mesh/v1/hello", largest=1, seconds=1)


def test_an_answer_beyond_what_was_allowed_fails_the_test() -> None:
    house = House()

    with pytest.raises(AssertionError, match="larger"):
        house.line(FakeNode(house, 1).target).ask("GET", "/mesh/v1/hello", largest=1, seconds=1)
