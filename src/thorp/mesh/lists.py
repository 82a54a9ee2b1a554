"""The lists of models that neighbours show, fetched when somebody wants them and the announced digest is a new one."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final, Protocol

from thorp.base.clock import Clock
from thorp.base.errors import ThorpError
from thorp.base.tasks import TaskScope
from thorp.identity.ids import NodeId
from thorp.mesh.ports import Heard
from thorp.mesh.types import Neighbour
from thorp.net.mesh_line import Target
from thorp.wire.shared import SharedList, SharedModel, list_digest

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
STALE_AFTER: Final = 30.0  # seconds, for a neighbour that was called and never announced a digest
FAILED_FOR: Final = 30.0  # seconds that a neighbour is left out whose list was not had, unless it is heard meanwhile
MOST_MODELS: Final = 50_000  # of all neighbours together


class Asks(Protocol):
    """What `mesh.calls.Neighbourhood` does for this. Blocks."""

    def models(self, target: Target) -> SharedList: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    models: tuple[SharedModel, ...]
    digest: str
    at: float  # monotonic


@dataclass(frozen=True, slots=True)
class Failed:
    digest: str  # what was announced when it was asked
    at: float  # monotonic


def target_of(neighbour: Neighbour) -> Target:
    return Target(neighbour.address, neighbour.mesh_port, frozenset({neighbour.node}))


class Lists:
    """Belongs to the loop."""

    def __init__(self, asks: Asks, heard: Heard, clock: Clock) -> None:
        self._asks = asks
        self._heard = heard
        self._clock = clock
        self._fetched: dict[NodeId, Fetched] = {}
        self._failed: dict[NodeId, Failed] = {}
        self._refreshing = asyncio.Lock()

    async def every(self) -> tuple[tuple[Neighbour, tuple[SharedModel, ...]], ...]:
        """Each neighbour that is here and can be asked, with what it shows. Who fails is left out."""
        async with self._refreshing:
            here = [one for one in self._heard.around().neighbours if one.mesh_port]
            self._fetched = {one.node: self._fetched[one.node] for one in here if one.node in self._fetched}
            self._failed = {one.node: self._failed[one.node] for one in here if one.node in self._failed}
            await self._refresh([one for one in here if self._is_old(one) and not self._is_resting(one)])
            return tuple((one, self._fetched[one.node].models) for one in here if one.node in self._fetched)

    def _is_old(self, neighbour: Neighbour) -> bool:
        have = self._fetched.get(neighbour.node)
        if have is None:
            return True
        if neighbour.list_digest:
            return have.digest != neighbour.list_digest
        if neighbour.by == "packet":  # it says that it shows nothing
            return bool(have.models)
        return self._clock.monotonic() - have.at >= STALE_AFTER

    def _is_resting(self, neighbour: Neighbour) -> bool:
        failed = self._failed.get(neighbour.node)
        if failed is None or failed.digest != neighbour.list_digest or neighbour.heard > failed.at:
            return False  # it says something new, or was heard since: it may be back
        return self._clock.monotonic() - failed.at < FAILED_FOR

    async def _refresh(self, old: list[Neighbour]) -> None:
        free = asyncio.Semaphore(AT_ONCE)

        async def one(neighbour: Neighbour) -> None:
            async with free:
                if await self._fetch(neighbour):
                    self._failed.pop(neighbour.node, None)
                else:
                    self._failed[neighbour.node] = Failed(neighbour.list_digest, self._clock.monotonic())

        async with TaskScope("lists of neighbours") as scope:
            for task in [scope.start(neighbour.node, one(neighbour)) for neighbour in old]:
                await task

    async def _fetch(self, neighbour: Neighbour) -> bool:
        """Whether its list was had, and has room."""
        self._fetched.pop(neighbour.node, None)
        try:
            models = (await asyncio.to_thread(self._asks.models, target_of(neighbour))).models
            digest = await asyncio.to_thread(list_digest, models)
        except ThorpError as error:
            log.info("the list of %s was not had: %s", neighbour.node, error.message)
            return False
        if sum(len(have.models) for have in self._fetched.values()) + len(models) > MOST_MODELS:
            log.warning(
                "the neighbours show more than %d models; those of %s are left out", MOST_MODELS, neighbour.node
            )
            return False
        self._fetched[neighbour.node] = Fetched(models, digest, self._clock.monotonic())
        return True
