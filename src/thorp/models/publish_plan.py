"""Who may share what, and what is said of it. Pure: a request, a principal and a receipt come in.

Gated models are shared with nobody. What is the owner's own becomes a torrent by the owner's word for that very model.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from thorp.base.errors import ConflictError, NotAllowedError, UsageError
from thorp.identity.ids import NodeId
from thorp.identity.principals import Principal
from thorp.models.library import Kept
from thorp.models.receipts import Receipt
from thorp.models.types import SourceKind
from thorp.swarm.recipes import PIECE, check_piece_length, do_pieces_fit
from thorp.wire.capabilities.publishing import ShareRequest
from thorp.wire.publication import Hint, Publication, PublishedFile, PublishedTorrent

OWN: Final = frozenset({SourceKind.IMPORT, SourceKind.GIT})
GATED: Final = "its hub gives it only to who has agreed to its terms, so nobody else may hand it on"
NO_LICENSE: Final = "nobody said under which licence it is; everybody has to be told: `--license L`"
KEPT_BACK: Final = "it is kept to this node; share it by its name when others may have it"
NOT_FROM_A_HUB: Final = (
    "this node did not get it from a hub, which would say that everybody may have it; share it by its name if so"
)
NOT_BY_NAME: Final = "it is your own; share it by its name when you want to publish it"


class ShareWordsError(UsageError):
    """Words of a share that do not go together."""

    code = "models.share_words"


class OwnersAloneError(NotAllowedError):
    """A way to share that no key has."""

    code = "models.owners_alone"


class NotShareableError(ConflictError):
    """A model that cannot be shared as it is."""

    code = "models.not_shareable"


class PublicOffError(ConflictError):
    """Something was to be shared with everybody while this node hands nothing to everybody."""

    code = "models.public_off"


class HouseholdOffError(ConflictError):
    """Something was to be shared with the household while this node hands nothing to it."""

    code = "models.household_off"


class Kind(StrEnum):
    REF = "ref"
    PATH = "path"
    GIT = "git"
    ALL = "all"


class Manifest(StrEnum):
    """What becomes of the manifest beside a receipt."""

    WRITE = "write"
    KEEP = "keep"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a model is shared, and what its publisher says of it."""

    manifest: Manifest = Manifest.WRITE
    public: bool = False
    piece: int = PIECE
    dht: bool = True
    license: str | None = None
    version: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()


def kind_of(asked: ShareRequest) -> Kind:
    """What is to be shared, when its words go together."""
    given = [kind for kind, said in _said(asked).items() if said]
    if len(given) != 1:
        raise ShareWordsError("Say one thing to share: a ref, a path, a git address, or all.")
    kind = given[0]
    if kind is Kind.PATH and not (asked.name and asked.license):
        raise ShareWordsError("A folder or file has no name and no licence by itself: `--name org/model --license L`.")
    if asked.name and kind in (Kind.REF, Kind.ALL):
        raise ShareWordsError("A model that is here has its name. `thorp models alias` gives it another one.")
    if (asked.branch or asked.skip_lfs) and kind is not Kind.GIT:
        raise ShareWordsError("`--branch` and `--skip-lfs` are for a git repository.")
    if asked.piece_length is not None:
        _check_piece(asked.piece_length, public=asked.public)
    if asked.public and not asked.sign:
        raise ShareWordsError("What is shared with everybody goes with a signed manifest; leave out `--no-sign`.")
    return kind


def _said(asked: ShareRequest) -> dict[Kind, bool]:
    return {
        Kind.REF: asked.ref is not None,
        Kind.PATH: asked.path is not None,
        Kind.GIT: asked.git is not None,
        Kind.ALL: asked.every,
    }


def _check_piece(piece: int, *, public: bool) -> None:
    if not public:
        raise ShareWordsError(
            "Household torrents have pieces of 16 MiB, so that everybody with the same bytes makes the same one. "
            "`--piece-length` is for `--public`."
        )
    check_piece_length(piece)


def refuse_for(principal: Principal, kind: Kind, asked: ShareRequest) -> None:
    """Return only when who asks may share this in this way. A key lifts what kept a model back, and no more."""
    if principal.is_owner:
        return
    if kind is not Kind.REF or asked.public:
        raise OwnersAloneError(
            "A key may share a model of this node with the household. Folders, repositories, everything at once, and "
            "sharing with everybody are the owner's alone: use `thorp share` on the machine itself."
        )


def refuse_while_off(asked: ShareRequest, *, everybody: bool, household: bool) -> None:
    """Return only when what is asked for would really happen."""
    if not asked.public and not household:
        raise HouseholdOffError(
            "This node hands nothing to its household while `sharing.household` is off, so nothing was shared. Turn it "
            "on with `thorp config set sharing.household true` and share again."
        )
    if asked.public and not everybody:
        raise PublicOffError(
            "This node hands nothing to everybody while `swarm.public` is off, so nothing was shared. Turn it on with "
            "`thorp config set swarm.public true` and share again; others reach it at `swarm.public_port`, and find it "
            "by themselves once `swarm.bootstrap` names a way into the DHT."
        )


def terms_of(asked: ShareRequest, principal: Principal) -> Terms:
    """A signature of this node is the owner's to give."""
    manifest = Manifest.KEEP
    if principal.is_owner:
        manifest = Manifest.WRITE if asked.sign else Manifest.NONE
    return Terms(
        manifest=manifest,
        public=asked.public,
        piece=asked.piece_length or PIECE,
        dht=not asked.skip_dht,
        license=asked.license,
        version=asked.version,
        description=asked.description,
        tags=asked.tags,
        hints=tuple(_hint(name, value) for name, value in sorted(asked.hints.items())),
    )


def _hint(name: str, value: str) -> Hint:
    try:
        return Hint(name=name, value=value)
    except ValueError:
        raise ShareWordsError(f"`{name[:80]}` is no hint. One looks like `temperature=0.7`.") from None


def why_not(kept: Kept, terms: Terms, kind: Kind, *, kept_back: bool = False) -> str:
    """Why a model is not shared in this way; empty when it is."""
    receipt = kept.receipt
    if receipt.gated:
        return GATED
    if not kept.complete:
        return kept.missing
    if why := other_license(receipt.license, terms.license):
        return why
    if terms.public and not (receipt.license or terms.license):
        return NO_LICENSE
    if terms.public and (path := _of_too_many_pieces(receipt, terms.piece)):
        return f"`{path}` would have more pieces than a torrent holds; take larger ones with `--piece-length`"
    return _why_not_unnamed(receipt, terms, kept_back=kept_back) if kind is Kind.ALL else ""


def other_license(known: str | None, said: str | None) -> str:
    """Why the licence that somebody says is not taken; empty when nothing speaks against it."""
    if known and said and known.casefold() != said.casefold():
        return f"it is known here under the licence {known}, not {said}"
    return ""


def _of_too_many_pieces(receipt: Receipt, piece: int) -> str:
    """A file whose public torrent nobody would read, this node included; empty when there is none."""
    return next((one.path for one in receipt.files if not do_pieces_fit(one.size, piece)), "")


def _why_not_unnamed(receipt: Receipt, terms: Terms, *, kept_back: bool) -> str:
    """Who shares everything has not thought of each model: what needs a word of its owner for it stays."""
    if kept_back:
        return KEPT_BACK
    if receipt.source.kind in OWN:
        return NOT_BY_NAME
    confirmed = receipt.source.kind is SourceKind.HUB and receipt.claimed_by is None
    return NOT_FROM_A_HUB if terms.public and not confirmed else ""


def refuse_unless_shareable(kept: Kept, terms: Terms, kind: Kind, *, kept_back: bool = False) -> None:
    if why := why_not(kept, terms, kind, kept_back=kept_back):
        raise NotShareableError(f"{kept.receipt.model_id} is not shared: {why}.", model_id=kept.receipt.model_id)


def refuse_if_unshared(receipt: Receipt, before: object, now: object) -> None:
    """The later word counts: sharing takes a while, and its owner may say meanwhile that a model stays here.

    `before` and `now` tell one note that a model is kept back from another; None is no note.
    """
    if now is not None and now != before:
        raise NotShareableError(
            f"{receipt.model_id} was unshared while it was to be shared, so it stays with this node. Share it again "
            "when you want that.",
            model_id=receipt.model_id,
        )


def manifest_of(
    receipt: Receipt, terms: Terms, torrents: tuple[PublishedTorrent, ...], publisher: NodeId, created: str
) -> Publication:
    """What a publisher says of a model; refused where there is more to say than a manifest holds."""
    try:
        return _manifest(receipt, terms, torrents, publisher, created)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
        raise NotShareableError(
            f"{receipt.model_id} is not shared: no manifest can say what it is (`{where}`). `--no-sign` shares it "
            "without one, with the household.",
            model_id=receipt.model_id,
        ) from None


def _manifest(
    receipt: Receipt, terms: Terms, torrents: tuple[PublishedTorrent, ...], publisher: NodeId, created: str
) -> Publication:
    return Publication(
        name=receipt.repo,
        version=terms.version or receipt.version,
        model_id=receipt.model_id,
        revision=receipt.revision,
        artifact=receipt.artifact,
        format=receipt.format.value,
        description=terms.description,
        license=receipt.license or terms.license,
        architecture=receipt.architecture or None,
        parameters=receipt.parameters,
        quant=receipt.quant or None,
        context=receipt.context_length,
        hints=terms.hints,
        total_size=receipt.size_bytes,
        files=tuple(PublishedFile(path=one.path, size=one.size, sha256=one.sha256) for one in receipt.files),
        torrents=torrents,
        tags=terms.tags,
        dht=terms.dht,
        publisher=publisher,
        created=created,
    )


def torrents_of(receipt: Receipt) -> tuple[PublishedTorrent, ...]:
    """The household torrents of a receipt."""
    return tuple(
        PublishedTorrent(path=one.path, recipe="household", infohash=one.infohash)
        for one in receipt.files
        if one.infohash
    )
