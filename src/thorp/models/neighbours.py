"""The neighbours as `models` knows them: their lists and torrents over the bus, their files over one port.

What a neighbour says becomes names and paths here, so it is checked here, model by model; what cannot be one is left
out.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from thorp.base.errors import NotFoundError, ThorpError, UsageError
from thorp.base.moments import seconds_of
from thorp.base.printable import printable
from thorp.models.ids import parse_model_id
from thorp.models.offered import NotAroundError, names_collide
from thorp.models.ports import Incoming, NeighbourBytes, Stop
from thorp.models.refs import BadRefError, check_path, check_repo, check_revision
from thorp.models.selection import takes
from thorp.models.types import GIT_NAME, Format, Offered, OfferedFile
from thorp.wire.capabilities.sharing import LanHeads, LanTorrent, NeighbourModels
from thorp.wire.model import Message
from thorp.wire.publication import check_publication
from thorp.wire.shared import SharedModel

log = logging.getLogger(__name__)
HEADS: Final = "lan.heads"
TORRENT: Final = "lan.torrent"
LONGEST_NAME: Final = 64

AskBus: TypeAlias = Callable[[str, Mapping[str, object]], Message]


class BadOfferError(NotFoundError):
    """A neighbour lists what this node cannot keep."""

    code = "models.bad_offer"


@dataclass(frozen=True, slots=True)
class LanNeighbours:
    """Satisfies `Neighbours` on a node. `ask` puts a question to the bus and blocks until it is answered."""

    ask: AskBus
    files: NeighbourBytes
    known: bool = True

    def models(self) -> tuple[Offered, ...]:
        """Whatever keeps the question from being answered, there is nobody to ask now, and others may help."""
        try:
            answer = LanHeads.model_validate(self.ask(HEADS, {}))
        except UsageError:
            raise
        except ThorpError as error:
            raise NotAroundError(f"The neighbours cannot be asked now: {error.message}") from error
        return tuple(one for neighbour in answer.neighbours for one in offers_of(neighbour))

    def torrent(self, infohash: str) -> bytes | None:
        try:
            answer = LanTorrent.model_validate(self.ask(TORRENT, {"infohash": infohash}))
            return base64.b64decode(answer.content, validate=True)
        except UsageError:
            raise
        except (ThorpError, binascii.Error) as error:
            log.info("no neighbour gives the torrent %s: %s", infohash, error)
            return None

    def read(self, node: str, sha256: str, first: int, end: int, stop: Stop) -> AbstractContextManager[Incoming]:
        return self.files.read(node, sha256, first, end, stop)


def vouched(offers: Sequence[Offered]) -> tuple[Offered, ...]:
    """Those whose manifest, where one came along, is signed and speaks of these very files; fails without any."""
    fine: list[Offered] = []
    failure: ThorpError | None = None
    for one in offers:
        try:
            if one.publication is not None:
                files = ((file.path, file.size, file.sha256) for file in one.files)
                check_publication(dict(one.publication), one.repo, one.revision, files)
            fine.append(one)
        except ThorpError as error:
            log.warning("what %s says it has of %s is passed over: %s", one.name, one.repo, error.message)
            failure = error
    if failure is not None and not fine:
        raise failure
    return tuple(fine)


def offers_of(neighbour: NeighbourModels) -> Iterator[Offered]:
    """What of a neighbour's list can be kept here."""
    name = printable(neighbour.name)[:LONGEST_NAME] or neighbour.node[:LONGEST_NAME]
    for model in neighbour.models:
        try:
            yield offered(neighbour.node, name, model)
        except (ThorpError, ValueError) as error:
            log.info("a model that %s lists is left out: %s", name, error)


def offered(node: str, name: str, model: SharedModel) -> Offered:
    """One model, with every name in it fit to become a path. Fails with a ThorpError or a ValueError."""
    paths = [check_path(file.path) for file in model.files]
    model_id = parse_model_id(model.model_id)
    if model_id is None:
        raise BadOfferError(f"`{printable(model.model_id)}` is no model id.")
    if "/" in check_path(model.artifact):
        raise BadRefError(f"`{model.artifact}` is no name of one artifact.")
    if names_collide(paths) or model.projector not in (None, *paths) or paths == [model.projector]:
        raise BadOfferError(f"The files of `{model_id}` have names that do not go together.")
    if any(len(file.blob) > GIT_NAME and file.blob != file.sha256 for file in model.files):
        raise BadOfferError(f"A file of `{model_id}` is named by another hash than its own.")
    format_ = Format(model.format)
    if foreign := next((path for path in paths if not takes(format_, path)), None):
        raise BadOfferError(f"`{printable(foreign)}` of `{model_id}` is no file that a model needs.")
    seconds_of(model.added)
    return Offered(
        node=node,
        name=name,
        model_id=str(model_id),
        repo=check_repo(model.repo),
        revision=model.revision,
        version=check_revision(model.version),
        artifact=model.artifact,
        format=format_,
        quant=model_id.quant,
        files=tuple(OfferedFile(file.path, file.size, file.sha256, file.blob, file.infohash) for file in model.files),
        license=printable(model.license) if model.license else None,
        parameters=model.parameters,
        projector=model.projector,
        added=model.added,
        publication=model.publication,
    )
