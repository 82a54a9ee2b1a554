import hashlib
import subprocess
import sys

import pytest

from thorp.swarm.native import GoneError, UnreadableTorrentError, asking, open_session, read
from thorp.swarm.profile import household
from thorp.swarm.recipes import PIECE, bencode, household_torrent

CARD = {"format": "gguf", "model_id": "m", "revision": "r", "source": "hub"}


def test_our_own_torrent_is_read(swarm):
    data = b"x" * (PIECE + 7)
    hashes = [hashlib.sha1(one, usedforsecurity=False).digest() for one in (data[:PIECE], data[PIECE:])]
    torrent = household_torrent("m.gguf", len(data), b"".join(hashes), card=CARD)
    found = read(torrent.content)
    assert (found.infohash, found.length, found.pieces) == (torrent.infohash, len(data), 2)
    assert [found.piece_length(one) for one in range(2)] == [PIECE, 7]
    assert [found.piece_hash(one) for one in range(2)] == hashes


@pytest.mark.parametrize("content", [b"", b"x", bencode({"info": {}}), bencode({"a": 1})])
def test_what_is_no_torrent_is_refused(content):
    with pytest.raises(UnreadableTorrentError):
        read(content)


def test_a_torrent_that_is_gone_says_so():
    with pytest.raises(GoneError), asking():
        raise RuntimeError("invalid torrent handle used")


def test_a_new_session_listens_nowhere_and_counts_its_neighbours():
    session = open_session(household(("127.0.0.2",), 0))
    assert session.get_settings()["listen_interfaces"] == ""
    assert session.get_ip_filter().access("127.0.0.3") == 1


def test_libtorrent_is_loaded_when_the_first_engine_starts_and_not_before():
    script = "import sys, thorp.swarm.engine as e, thorp.swarm.profile as p; e.Engine(p.household((), 0)); "
    script += "sys.exit('libtorrent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
