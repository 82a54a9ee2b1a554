import pytest
from pydantic import ValidationError

from thorp.identity.trust import Trust
from thorp.wire.capabilities.sharing import (
    LARGEST_TORRENT,
    MODEL_BLOB,
    MODEL_HEADS,
    MODEL_TORRENT,
    BlobRequest,
    LanTorrent,
    LanTorrentRequest,
    TorrentRequest,
)
from thorp.wire.capability import Idempotent


@pytest.mark.parametrize("capability", [MODEL_HEADS, MODEL_BLOB, MODEL_TORRENT], ids=lambda one: one.id)
def test_no_key_and_no_other_node_reaches_what_the_mesh_of_this_node_asks(capability) -> None:
    assert (capability.trust, capability.scope, capability.mesh) == (Trust.OWNER, None, False)
    assert (capability.frames, capability.idempotent) == (None, Idempotent.YES)


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "../" * 21, "a" * 64 + "\n"])
def test_only_a_hash_asks_for_bytes(digest: str) -> None:
    with pytest.raises(ValidationError):
        BlobRequest(sha256=digest)


@pytest.mark.parametrize("request_", [TorrentRequest, LanTorrentRequest])
def test_only_an_infohash_asks_for_a_torrent(request_) -> None:
    assert request_(infohash="a" * 40).infohash == "a" * 40
    with pytest.raises(ValidationError):
        request_(infohash="a" * 64)


def test_a_torrent_is_bounded() -> None:
    with pytest.raises(ValidationError):
        LanTorrent(content="A" * (LARGEST_TORRENT + 1), node="n")
