import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thorp
from tests.cli.fake_node import FakeNode
from tests.cli.model_rows import DONE, ID, REF, Row, transfer
from tests.cli.terminal import on_a_terminal
from thorp.wire.capabilities.transfers import LimitAll, LimitOne, TransferCancel

LIST: Row = {"transfers": [transfer(), DONE | {"id": "01JD0000000000000000000001"}], "limit": 5_000_000}


@pytest.mark.parametrize("words", [("transfers",), ("transfers", "list")])
def test_the_noun_alone_lists(thorp: Thorp, node: FakeNode, words: tuple[str, ...]) -> None:
    node.offers("transfer.list", LIST)
    shown = thorp(*words)

    assert shown.code == 0
    for said in (ID, "qwen2.5:0.5b:instruct:q8_0", "active", "14 % of 676 MB", "46 s"):
        assert said in shown.out
    assert "All together: at most 5.0 MB/s." in shown.err
    assert thorp(*words, "--json").json == LIST


def test_no_transfer_says_how_to_begin_one(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.list", {"transfers": [], "limit": 0})
    assert "`thorp pull REF`" in thorp("transfers").err


def test_one_transfer_is_shown_with_its_trouble(thorp: Thorp, node: FakeNode) -> None:
    error = {"code": "models.no_room", "message": "No room.", "details": {}}
    row = transfer("failed", error=error, here=False, limit=1_000_000, note="gave up")
    node.offers("transfer.show", row)
    out = thorp("transfers", "show", ID).out

    assert "another process" not in out, "nobody carries it any more"
    for said in ("No room. (models.no_room)", "at most 1.0 MB/s", "failed: gave up", "hub  100 MB"):
        assert said in out
    assert thorp("transfers", "show", ID, "--json").json == row


def test_the_pieces_of_a_file_on_its_way_are_drawn_with_their_meaning(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.show", transfer() | {"pieces": "l" * 64 + "hh.."})
    lines = [one.split() for one in thorp("transfers", "show", ID).out.splitlines()]

    at = next(number for number, words in enumerate(lines) if words[0] == "pieces")
    assert lines[at : at + 2] == [["pieces", "l" * 64], ["hh.."]]
    assert " ".join(lines[at + 2]) == "h hub, l neighbours, . missing"


def test_transfers_are_paused_and_resumed(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.pause", transfer("paused"))
    node.offers("transfer.resume", transfer("queued"))

    assert thorp("transfers", "pause", ID).out == f"{REF} is paused, 100 MB of 676 MB.\n"
    assert thorp("transfers", "resume", ID).out == f"{REF} is queued, 100 MB of 676 MB.\n"
    assert node.called("transfer.resume") == [{"id": ID}]
    assert thorp("transfers", "resume", ID, "--json").json == transfer("queued")


def test_without_a_node_a_resumed_transfer_is_followed(thorp: Thorp) -> None:
    thorp.here.work.answers["transfer.resume"] = [transfer("queued")]
    thorp.here.work.rows = [transfer(), DONE]

    assert thorp("transfers", "resume", ID).out == f"{REF} is done, 676 MB.\n"
    lines = thorp("transfers", "resume", ID, "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [transfer(), DONE]


def test_ctrl_c_while_a_resumed_transfer_is_followed_says_how_to_go_on(thorp: Thorp) -> None:
    thorp.here.work.answers["transfer.resume"] = [transfer("queued")]
    thorp.here.work.rows = [KeyboardInterrupt()]
    shown = thorp("transfers", "resume", ID)

    assert shown.code == 130
    assert f"`thorp pull {REF}` goes on where it was." in shown.err


def test_a_transfer_is_cancelled_when_that_was_confirmed(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.cancel", transfer("cancelled", 0))
    shown = thorp("transfers", "cancel", ID, "--yes", "--keep-partial")

    assert shown.out == f"{REF} is cancelled, 0 B.\n"
    assert node.called("transfer.cancel") == [{"id": ID, "keep_partial": True}]
    TransferCancel.model_validate(node.called("transfer.cancel")[0])


def test_who_cancels_is_told_what_goes(home: Path, node: FakeNode) -> None:
    node.offers("transfer.show", transfer())
    seen = on_a_terminal(home, "transfers", "cancel", ID, typed="n\n")

    assert f"Cancel {REF}? The 100 MB that it has fetched go. [y/N]" in " ".join(seen.split())
    assert seen.endswith("Nothing was changed.\n")
    assert node.called("transfer.cancel") == []


def test_a_dry_run_cancels_nothing(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.show", transfer())
    shown = thorp("transfers", "cancel", ID, "--dry-run", "--keep-partial")

    assert shown.out == f"Would cancel {REF}: 100 MB that it has fetched stay.\n"
    assert thorp("transfers", "cancel", ID, "--dry-run", "--json").json == {"would_cancel": transfer()}
    assert node.called("transfer.cancel") == []


def test_all_together_or_one_is_slowed_down(thorp: Thorp, node: FakeNode) -> None:
    node.offers("transfer.limit_all", {"limit": 0})
    node.offers("transfer.limit", transfer(limit=500_000))

    assert thorp("transfers", "limit", "none").out == "All transfers: no limit.\n"
    assert thorp("transfers", "limit", "500k", ID).out == f"{REF}: at most 500.0 KB/s.\n"
    LimitAll.model_validate(node.called("transfer.limit_all")[0])
    LimitOne.model_validate(node.called("transfer.limit")[0])
    assert thorp("transfers", "limit", "quick").code == 2
