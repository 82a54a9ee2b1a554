import string

import libtorrent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.swarm.magnets import magnet_of

ONE, TWO = bytes(range(20)), bytes(range(32))
LINK = f"magnet:?xt=urn:btih:{ONE.hex()}"


def test_a_link_is_as_written() -> None:
    assert magnet_of(ONE, TWO, name="größe 7B&x=.gguf") == (
        f"{LINK}&xt=urn:btmh:1220{TWO.hex()}&dn=gr%C3%B6%C3%9Fe%207B%26x%3D.gguf"
    )
    assert magnet_of(ONE) == LINK
    with pytest.raises(ValueError, match="at least one"):
        magnet_of(None)


NAMES = st.text(string.ascii_letters + "ä -_&=+%#", max_size=30)


@given(st.binary(min_size=20, max_size=20).filter(any), st.none() | st.binary(min_size=32, max_size=32), NAMES)
def test_other_clients_read_what_was_written_and_no_address_with_it(
    infohash: bytes, infohash_v2: bytes | None, name: str
) -> None:
    read = libtorrent.parse_magnet_uri(magnet_of(infohash, infohash_v2, name=name))
    assert read.info_hashes.v1.to_bytes() == infohash
    assert read.info_hashes.v2.to_bytes() == (infohash_v2 or bytes(32))
    assert read.name == name
    assert (read.trackers, read.url_seeds, read.dht_nodes) == ([], [], [])
