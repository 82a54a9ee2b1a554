import json

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import HIT, OTHER_HIT
from thorp.cli.search import counted
from thorp.wire.capabilities.hub import HubHits, HubSearch

FOUND = {"hub": "huggingface.co", "results": [HIT, OTHER_HIT]}


def test_what_the_hub_knows_is_listed(thorp: Thorp, node: FakeNode) -> None:
    node.offers("hub.search", FOUND)
    shown = thorp("search", "qwen", "instruct", "--limit", "5")

    assert shown.code == 0
    assert "Qwen/Qwen2.5-0.5B-Instruct-GGUF" in shown.out
    assert "1.2M" in shown.out
    assert "494M" in shown.out
    assert "2026-10-20" in shown.out
    assert node.called("hub.search") == [{"q": "qwen instruct", "limit": 5}]
    HubSearch.model_validate(node.called("hub.search")[0])


def test_with_json_it_is_the_answer_of_the_node(thorp: Thorp, node: FakeNode) -> None:
    node.offers("hub.search", FOUND)

    assert thorp("search", "qwen", "--json").json == FOUND
    HubHits.model_validate_json(json.dumps(FOUND))


def test_without_a_node_the_work_happens_here(thorp: Thorp) -> None:
    thorp.here.work.answers["hub.search"] = [{"hub": "hub.example", "results": []}]
    shown = thorp("search", "qwen")

    assert "hub.example has no repository with GGUF files by this name" in shown.err
    assert thorp.here.work.asked == [("hub.search", {"q": "qwen", "limit": 20})]


def test_what_neighbours_have_is_listed_with_quants_and_names(thorp: Thorp, node: FakeNode) -> None:
    near = HIT | {"quants": ["q4_k_m", "q8_0"], "neighbours": ["mia", "tom"]}
    node.offers("hub.search", {"hub": "the household", "results": [near]})
    shown = thorp("search", "qwen", "--lan")

    assert shown.code == 0
    assert "q4_k_m, q8_0" in shown.out
    assert "mia, tom" in shown.out
    assert node.called("hub.search") == [{"q": "qwen", "limit": 20, "from": "lan"}]
    HubSearch.model_validate(node.called("hub.search")[0])


def test_when_no_neighbour_has_it_that_is_said(thorp: Thorp, node: FakeNode) -> None:
    node.offers("hub.search", {"hub": "the household", "results": []})

    assert "No neighbour that is here now has a model by this name" in thorp("search", "qwen", "--lan").err


def test_a_limit_that_is_none_is_refused(thorp: Thorp) -> None:
    assert thorp("search", "qwen", "--limit", "0").code == 2
    assert thorp("search").code == 2


@pytest.mark.parametrize(
    ("many", "said"),
    [(None, ""), (0, "0"), (999, "999"), (1_000, "1k"), (12_345, "12k"), (999_999, "1M"), (7_241_732_096, "7.2B")],
)
def test_large_numbers_are_short(many: int | None, said: str) -> None:
    assert counted(many) == said
