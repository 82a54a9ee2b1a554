"""Which `.torrent` files a model needs: those of its receipt, and those of the manifest beside it."""

from contextlib import suppress

from thorp.base.errors import ThorpError
from thorp.base.files import DISK, read_bounded
from thorp.models.layout import PUBLICATION
from thorp.models.library import Library
from thorp.models.receipts import Receipt
from thorp.wire.publication import LARGEST, read_publication


def named_torrents(library: Library, receipt: Receipt) -> frozenset[str]:
    """By infohash. A manifest that cannot be read names nothing."""
    named = {one.infohash for one in receipt.files if one.infohash}
    with suppress(ThorpError):
        signed = read_publication(read_bounded(DISK, library.path(receipt).with_name(PUBLICATION), LARGEST))
        named |= {one.infohash for one in signed.publication.torrents}
    return frozenset(named)
