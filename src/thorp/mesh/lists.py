"""The lists of models that neighbours show, fetched when somebody wants them and the announced digest is a new one."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from threading import Event
from typing import Final, Literal, Protocol

from thorp.base.clock import Clock
from thorp.base.errors import ThorpError
from thorp.base.tasks import TaskScope
from thorp.identity.ids import NodeId
from thorp.mesh.ports import Heard
from thorp.mesh.threads import CallThreads
from thorp.mesh.types import Neighbour
from thorp.net.mesh_line import NeighbourSlowError, Target
from thorp.net.outward_errors import OutwardStoppedError
from thorp.net.outward_line import Stop
from thorp.wire.shared import SharedList, SharedModel, list_bytes

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
PATIENCE: Final = 10.0  # seconds that all of them together may take; who is not done by then is left out
STALE_AFTER: Final = 30.0  # seconds, for a neighbour that was called and never announced a digest
FAILED_FOR: Final = 30.0  # seconds that a neighbour is left out whose list was not had
MOST_MODELS: Final = 50_000  # of all neighbours together
MOST_BYTES: Final = 32 * 1024 * 1024  # of the lists of all neighbours together

Failure = Literal["away", "slow", "untrue"]


class Asks(Protocol):
    """What `mesh.calls.Neighbourhood` does for this. Blocks."""

    def models(self, target: Target, have: str = "", stop: Stop | None = None) -> SharedList | None: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    models: tuple[SharedModel, ...]
    digest: str
    size: int  # in bytes, as it would be sent
    at: float  # monotonic


@dataclass(frozen=True, slots=True)
class Failed:
    why: Failure
    digest: str  # what was announced when it was asked
    at: float  # monotonic


def target_of(neighbour: Neighbour) -> Target:
    return Target(neighbour.address, neighbour.mesh_port, frozenset({neighbour.node}))


class Lists:
    """Belongs to the loop."""

    def __init__(
        self, asks: Asks, heard: Heard, clock: Clock, threads: CallThreads, *, patience: float = PATIENCE
    ) -> None:
        self._asks = asks
        self._heard = heard
        self._clock = clock
        self._threads = threads
        self._patience = patience
        self._fetched: dict[NodeId, Fetched] = {}
        self._failed: dict[NodeId, Failed] = {}
        self._refreshing = asyncio.Lock()

    async def every(self) -> tuple[tuple[Neighbour, tuple[SharedModel, ...]], ...]:
        """Each neighbour that is here and can be asked, with what it shows. Who fails or is slow is left out."""
        async with self._refreshing:
            here = [one for one in self._heard.around().neighbours if one.mesh_port]
            self._fetched = {one.node: self._fetched[one.node] for one in here if one.node in self._fetched}
            self._failed = {one.node: self._failed[one.node] for one in here if one.node in self._failed}
            old = [one for one in here if self._is_old(one) and not self._is_resting(one)]
            await self._refresh(sorted(old, key=lambda one: one.node in self._failed))
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
        if failed is None or self._clock.monotonic() - failed.at >= FAILED_FOR:
            return False
        if failed.why == "slow":  # whatever it says meanwhile, the others would wait for it again
            return True
        same = failed.digest == neighbour.list_digest
        return same and (failed.why == "untrue" or neighbour.heard <= failed.at)  # heard since: it may be back

    async def _refresh(self, old: list[Neighbour]) -> None:
        """Ask them, a few at once, and wait for them together no longer than `patience`."""
        free, stop = asyncio.Semaphore(AT_ONCE), Event()

        async def one(neighbour: Neighbour) -> None:
            async with free:
                failure: Failure | None = "slow"  # unless it comes to an end
                try:
                    failure = await self._fetch(neighbour, stop)
                finally:
                    self._note(neighbour, failure)

        try:
            async with TaskScope("lists of neighbours") as scope:
                if tasks := [scope.start(neighbour.node, one(neighbour)) for neighbour in old]:
                    await asyncio.wait(tasks, timeout=self._patience)
        finally:
            stop.set()  # threads that still ask end soon

    def _note(self, neighbour: Neighbour, failure: Failure | None) -> None:
        if failure is None:
            self._failed.pop(neighbour.node, None)
        else:
            self._failed[neighbour.node] = Failed(failure, neighbour.list_digest, self._clock.monotonic())

    async def _fetch(self, neighbour: Neighbour, stop: Stop) -> Failure | None:
        """Why its list was not had, or is not to be asked for again soon."""
        had = self._fetched.pop(neighbour.node, None)
        try:
            have = had.digest if had else ""
            found = await self._threads.run(self._asked, target_of(neighbour), have, stop)
        except ThorpError as error:
            log.info("the list of %s was not had: %s", neighbour.node, error.message)
            return "slow" if isinstance(error, NeighbourSlowError | OutwardStoppedError) else "away"
        if found is None and had is not None:
            found = replace(had, at=self._clock.monotonic())
        if found is None or not self._has_room(found):
            log.warning("the neighbours show more than is kept; what %s shows is left out", neighbour.node)
            return "untrue"
        self._fetched[neighbour.node] = found
        return None if self._is_as_announced(neighbour, found) else "untrue"

    def _is_as_announced(self, neighbour: Neighbour, found: Fetched) -> bool:
        if neighbour.list_digest:
            return found.digest == neighbour.list_digest
        return neighbour.by != "packet" or not found.models

    def _asked(self, target: Target, have: str, stop: Stop) -> Fetched | None:
        """In a thread. None: what we have still holds."""
        shared = self._asks.models(target, have, stop)
        if shared is None:
            return None
        content = list_bytes(shared.models)
        return Fetched(shared.models, hashlib.sha256(content).hexdigest(), len(content), self._clock.monotonic())

    def _has_room(self, more: Fetched) -> bool:
        kept = [*self._fetched.values(), more]
        return sum(len(one.models) for one in kept) <= MOST_MODELS and sum(one.size for one in kept) <= MOST_BYTES
