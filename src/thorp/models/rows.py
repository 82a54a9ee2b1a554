"""How models are shown, as plain data: the same on every face, and on a command line that asks no node."""

from typing import Any, Final, Literal

from thorp.models.library import Kept, Library
from thorp.models.receipts import Receipt

COMPLETE: Final = "complete"
MISSING: Final = "missing"
DAMAGED: Final = "damaged"


def library_data(library: Library) -> dict[str, Any]:
    """The whole library."""
    return {
        "folder": str(library.layout.hub),
        "models": [row_data(one) for one in library.kept()],
        "unreadable": list(library.unreadable()),
    }


def state_of(kept: Kept) -> Literal["complete", "missing", "damaged"]:
    if kept.damaged:
        return DAMAGED
    return COMPLETE if kept.complete else MISSING


def row_data(kept: Kept) -> dict[str, Any]:
    receipt = kept.receipt
    return {
        "model_id": receipt.model_id,
        "aliases": list(receipt.aliases),
        "repo": receipt.repo,
        "revision": receipt.revision,
        "artifact": receipt.artifact,
        "format": receipt.format.value,
        "quant": receipt.quant,
        "size_bytes": receipt.size_bytes,
        "license": receipt.license,
        "gated": receipt.gated,
        "source": receipt.source.kind.value,
        "downloaded_at": receipt.downloaded_at,
        "state": state_of(kept),
        "reason": kept.missing,
    }


def complete_data(ref: str, receipt: Receipt) -> dict[str, Any]:
    """What a pull answers when there was nothing to bring."""
    return {
        "transfer_id": None,
        "ref": ref,
        "model_id": receipt.model_id,
        "repo": receipt.repo,
        "revision": receipt.revision,
        "size_bytes": receipt.size_bytes,
        "license": receipt.license,
        "gated": receipt.gated,
        "state": "done",
    }
