from threading import Thread

from thorp.swarm.events import (
    Broken,
    Checked,
    Counted,
    Distrusted,
    Finished,
    Flushed,
    Listening,
    Missed,
    NotListening,
    PeerBanned,
    PieceDone,
    PieceRefused,
    Removed,
)
from thorp.swarm.ledger import Board, Ledger

HASH, OTHER = b"\x01" * 20, b"\x02" * 20


def after(*events: object) -> Ledger:
    ledger = Ledger()
    for event in events:
        ledger.note(event)
    return ledger


def test_a_ledger_keeps_what_happened():
    ledger = after(Checked(HASH), Finished(HASH), Flushed(HASH), Flushed(HASH), PeerBanned(HASH, "10.0.0.2"))
    assert (ledger.checked, ledger.finished, ledger.removed, ledger.flushed) == (True, True, False, 2)
    assert ledger.banned == {"10.0.0.2"}
    assert ledger.news == 5
    ledger = after(Broken(HASH, "full", 28), Distrusted(HASH, "short"), Removed(HASH))
    assert (ledger.error, ledger.number, ledger.distrusted, ledger.removed) == ("full", 28, "short", True)


def test_only_given_pieces_are_called_rejected():
    ledger = Ledger(given={1, 2})
    for event in (PieceRefused(HASH, 1), PieceRefused(HASH, 5), PieceDone(HASH, 2)):
        ledger.note(event)
    assert ledger.given == set()
    assert ledger.rejected == {1}
    ledger.note(PieceDone(HASH, 1))
    assert ledger.rejected == set()


def test_events_reach_the_ledger_of_their_torrent_and_no_other():
    board = Board()
    one, two = board.open(HASH), board.open(OTHER)
    board.note(Checked(OTHER))
    board.note(Checked(b"\x03" * 20))
    assert (one.checked, two.checked) == (False, True)
    board.close(OTHER)
    board.note(Finished(OTHER))
    assert not two.finished


def test_missed_news_wake_everybody():
    board = Board()
    ledgers = board.open(HASH), board.open(OTHER)
    board.note(Missed())
    assert [one.news for one in ledgers] == [1, 1]


def test_listening_and_counts_are_the_engines_own():
    board = Board()
    board.note(Listening("10.0.0.2", 5))
    board.note(NotListening("10.0.0.3", 5, "taken"))
    board.note(Counted(1, 2, 3))
    assert (board.listening("10.0.0.2"), board.refusal("10.0.0.3")) == (5, "taken")
    assert (board.counted(), board.counts()) == (Counted(1, 2, 3), 1)
    board.forget_listening(but=["10.0.0.2", "10.0.0.3"])
    assert (board.listening("10.0.0.2"), board.refusal("10.0.0.3")) == (5, None)
    board.forget_listening()
    assert board.listening("10.0.0.2") is None


def test_who_waits_is_woken_by_what_it_waits_for():
    board = Board()
    ledger = board.open(HASH)
    thread = Thread(target=board.note, args=(Removed(HASH),))
    thread.start()
    assert board.wait(lambda: ledger.removed, 30)
    thread.join()
    assert not board.wait(lambda: ledger.finished, 0)
