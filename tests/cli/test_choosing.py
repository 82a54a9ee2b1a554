import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import GOOD, HIT, LARGE, OTHER_HIT, SMALL, Row, resolved
from thorp.cli.choosing import Asked, hint_of, plan, recommended, terms


def test_only_what_was_said_is_handed_on() -> None:
    assert Asked("a").given() == {"ref": "a"}
    assert Asked("a", source="hub").given(limit=5, yes=None) == {"ref": "a", "from": "hub", "limit": 5}


@pytest.mark.parametrize(("choices", "at"), [((SMALL, GOOD, LARGE), 1), ((SMALL, LARGE), 0)])
def test_the_pointer_begins_at_the_recommended_one(choices: tuple[Row, ...], at: int) -> None:
    assert recommended(choices) == at


def test_terms_and_hints_are_a_few_words() -> None:
    assert terms(HIT) == "licence apache-2.0"
    assert terms(OTHER_HIT) == "no licence named, gated: its owners ask for an agreement first"
    assert hint_of(GOOD | {"files": 3}) == "recommended, 3 files"
    assert hint_of(SMALL) == ""


def test_missing_room_is_a_number() -> None:
    facts = dict(plan(resolved(LARGE, free_bytes=1_000_000_000), LARGE))
    assert facts["room"] == "1.0 GB free; 200 MB are missing"
    assert dict(plan(resolved(LARGE, free_bytes=None), LARGE))["room"] == "unknown free"


def test_a_dry_run_says_what_would_be_pulled_and_pulls_nothing(thorp: Thorp, node: FakeNode) -> None:
    node.offers("model.resolve", resolved(GOOD))
    shown = thorp("pull", "qwen", "--dry-run")

    assert shown.code == 0
    for words in ("Qwen/Qwen2.5-0.5B-Instruct-GGUF:q8_0", "676 MB", "licence apache-2.0", "tight", "20 GB free"):
        assert words in shown.out
    assert "Nothing was fetched." in shown.err
    assert [one.path for one in node.asked] == ["/api/v1/call/model.resolve"]


def test_a_dry_run_of_many_lists_them(thorp: Thorp, node: FakeNode) -> None:
    node.offers("model.resolve", resolved(SMALL, GOOD, LARGE))
    shown = thorp("pull", "org/repo", "--dry-run")
    assert "too big" in shown.out
    assert "recommended" in shown.out

    node.offers("model.resolve", resolved(repos=(HIT, OTHER_HIT)))
    assert "meta/Other-GGUF" in thorp("pull", "qwen", "--dry-run").out


def test_a_dry_run_with_yes_follows_the_same_way_as_the_pull(thorp: Thorp, node: FakeNode) -> None:
    node.offers("model.resolve", resolved(repos=(HIT, OTHER_HIT)), resolved(SMALL, GOOD, LARGE))
    shown = thorp("pull", "qwen", "--dry-run", "--yes", "--json")

    assert shown.json == resolved(SMALL, GOOD, LARGE)
    assert node.called("model.resolve") == [{"ref": "qwen"}, {"ref": HIT["repo"]}]
