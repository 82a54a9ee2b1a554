"""A file of a receipt gets the torrent that everybody with the same bytes makes."""

import hashlib
from pathlib import Path

import pytest

from thorp.models.layout import digest_of
from thorp.models.sealed import Bytes, sealed
from thorp.swarm.recipes import household_torrent
from thorp.testing.library import a_layout, piece_hashes

DATA = b"weights" * 99
CARD = {"format": "gguf", "model_id": "m:7b:base:q8_0", "revision": "a" * 40, "source": "import"}


def proven(data: bytes = DATA) -> Bytes:
    return Bytes("deep/m.gguf", len(data), hashlib.sha256(data).hexdigest(), piece_hashes(data))


def test_the_torrent_lies_where_it_is_looked_for(tmp_path: Path) -> None:
    layout = a_layout(tmp_path)
    file = sealed(layout, proven(), CARD, gated=False)
    expected = household_torrent("m.gguf", len(DATA), piece_hashes(DATA), card=CARD)

    assert (file.path, file.size, file.infohash) == ("deep/m.gguf", len(DATA), expected.infohash.hex())
    assert layout.torrent(digest_of(file.infohash or "")).read_bytes() == expected.content


@pytest.mark.parametrize(("data", "gated"), [(DATA, True), (b"", False)])
def test_B34_gated_and_empty_files_ride_no_torrent(tmp_path: Path, data: bytes, *, gated: bool) -> None:
    layout = a_layout(tmp_path)

    assert sealed(layout, proven(data), CARD, gated=gated).infohash is None
    assert not layout.torrents.exists()
