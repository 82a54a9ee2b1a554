"""What models offer on the bus."""

from thorp.models.library_desk import LibraryDesk
from thorp.models.pull_desk import PullDesk
from thorp.models.shared import SharingDesk
from thorp.models.transfer_desk import TransferDesk
from thorp.wire.capabilities import hub, models, sharing, transfers
from thorp.wire.capability import Offer


def offers(pulling: PullDesk, library: LibraryDesk, moving: TransferDesk, showing: SharingDesk) -> tuple[Offer, ...]:
    return (
        Offer(hub.HUB_SEARCH, unary=pulling.search),
        Offer(models.MODEL_RESOLVE, unary=pulling.resolve),
        Offer(models.MODEL_PULL, unary=pulling.pull),
        Offer(models.LIBRARY_LIST, unary=library.every),
        Offer(models.LIBRARY_SHOW, unary=library.show),
        Offer(models.LIBRARY_VERIFY, streamed=library.verify),
        Offer(models.LIBRARY_REPAIR, streamed=library.repair),
        Offer(models.LIBRARY_REMOVE, unary=library.remove),
        Offer(models.LIBRARY_PRUNE, unary=library.prune),
        Offer(models.LIBRARY_IMPORT, streamed=library.import_files),
        Offer(models.LIBRARY_ALIAS, unary=library.alias),
        Offer(models.LIBRARY_UNALIAS, unary=library.unalias),
        Offer(models.LIBRARY_RESCAN, unary=library.rescan),
        Offer(transfers.TRANSFER_LIST, unary=moving.every),
        Offer(transfers.TRANSFER_SHOW, unary=moving.show),
        Offer(transfers.TRANSFER_PAUSE, unary=moving.pause),
        Offer(transfers.TRANSFER_RESUME, unary=moving.resume),
        Offer(transfers.TRANSFER_CANCEL, unary=moving.cancel),
        Offer(transfers.TRANSFER_LIMIT, unary=moving.limit_one),
        Offer(transfers.TRANSFER_LIMIT_ALL, unary=moving.limit_all),
        Offer(sharing.MODEL_HEADS, unary=showing.heads),
        Offer(sharing.MODEL_BLOB, unary=showing.blob),
        Offer(sharing.MODEL_TORRENT, unary=showing.torrent),
    )
