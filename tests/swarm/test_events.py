import pytest

from thorp.swarm.events import (
    Alert,
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
    event_of,
)

HASH = bytes(range(20))
COUNTS = {"net.recv_payload_bytes": 1, "net.sent_payload_bytes": 2, "peer.num_peers_connected": 3, "else": 4}


@pytest.mark.parametrize(
    ("alert", "event"),
    [
        (Alert("listen_succeeded", address="10.0.0.2", port=5), Listening("10.0.0.2", 5)),
        (Alert("listen_failed", address="10.0.0.2", message="taken"), NotListening("10.0.0.2", 0, "taken")),
        (Alert("session_stats", values=COUNTS), Counted(1, 2, 3)),
        (Alert("alerts_dropped"), Missed()),
        (Alert("torrent_checked", HASH), Checked(HASH)),
        (Alert("fastresume_rejected", HASH, message="gone"), Distrusted(HASH, "gone")),
        (Alert("piece_finished", HASH, piece=0), PieceDone(HASH, 0)),
        (Alert("hash_failed", HASH, piece=7), PieceRefused(HASH, 7)),
        (Alert("peer_ban", HASH, address="10.0.0.3", port=9), PeerBanned(HASH, "10.0.0.3")),
        (Alert("torrent_finished", HASH), Finished(HASH)),
        (Alert("file_error", HASH, message="full", number=28), Broken(HASH, "full", 28)),
        (Alert("torrent_error", HASH, message="odd"), Broken(HASH, "odd", 0)),
        (Alert("cache_flushed", HASH), Flushed(HASH)),
        (Alert("torrent_removed", HASH), Removed(HASH)),
    ],
)
def test_each_alert_that_matters_has_its_event(alert, event):
    assert event_of(alert) == event


@pytest.mark.parametrize(
    "alert",
    [Alert("state_changed", HASH), Alert("peer_snubbed", HASH), Alert("torrent_checked", bytes(20)), Alert("")],
)
def test_what_changes_nothing_or_belongs_to_a_torrent_that_is_gone_is_left_out(alert):
    assert event_of(alert) is None
