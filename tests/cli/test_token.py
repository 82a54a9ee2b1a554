from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode


def test_the_owner_s_token_is_printed_for_a_shell(thorp: Thorp, node: FakeNode) -> None:
    (thorp.home / "run/owner.token").write_text("thorp_o_secret\n")

    assert thorp("token").out == "thorp_o_secret\n"
    assert thorp("token", "--json").json == {"token": "thorp_o_secret"}
    assert node.asked == []


def test_the_token_of_a_node_that_died_is_not_printed(thorp: Thorp) -> None:
    (thorp.home / "run").mkdir(parents=True)
    (thorp.home / "run/owner.token").write_text("thorp_o_old\n")
    found = thorp("token")

    assert (found.code, found.out) == (3, "")
    assert "`thorp up`" in found.err


def test_a_node_without_a_token_yet_is_told(thorp: Thorp, node: FakeNode) -> None:
    found = thorp("token")

    assert found.code == 3
    assert "owner.token" in found.err
    assert node.asked == []
