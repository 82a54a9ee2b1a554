"""The service tree: starts every long-lived part in order, keeps it alive by its policy, stops all in reverse.

One task per service, owned here. The tree never looks inside a service; it sees `ready`, an end, or an error.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from thorp.base.clock import Clock
from thorp.base.errors import InternalError, ThorpError
from thorp.base.service import Restart, Service, ServiceSpec, ServiceState
from thorp.base.tasks import TaskScope
from thorp.wire.envelope import told

log = logging.getLogger(__name__)
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
GOOD_RUN: Final = 60.0  # after this long the next failure counts as the first again


class ServiceFailedError(InternalError):
    """A service without which the node cannot be."""

    code = "app.service_failed"


def pause_before(restarts: int) -> float:
    """Seconds to wait before the n-th restart in a row."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(restarts, 16))


@dataclass(eq=False, slots=True)
class Branch:
    """One service in the tree; also the `Life` it is lent."""

    service: Service
    told: Callable[["Branch"], None]
    clock: Clock
    state: ServiceState = ServiceState.WAITING
    message: str = ""
    since: float = 0.0
    restarts: int = 0
    began: float = 0.0
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""
    task: asyncio.Task[None] | None = None
    failure: BaseException | None = None

    @property
    def spec(self) -> ServiceSpec:
        return self.service.spec

    def ready(self) -> None:
        self.is_ready.set()
        self.become(ServiceState.RUNNING)

    async def until_stop(self) -> str:
        await self.stop.wait()
        return self.reason

    def become(self, state: ServiceState, message: str = "") -> None:
        self.state, self.message, self.since = state, message, self.clock.wall()
        self.told(self)


class ServiceTree:
    def __init__(
        self,
        services: Sequence[Service],
        clock: Clock,
        told: Callable[[Branch], None],
        on_fatal: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._on_fatal = on_fatal
        self._scope = TaskScope("services")
        ordered = sorted(services, key=lambda one: one.spec.order)
        self._branches = [Branch(one, told, clock, since=clock.wall()) for one in ordered]

    @property
    def branches(self) -> tuple[Branch, ...]:
        return tuple(self._branches)

    @property
    def all_running(self) -> bool:
        return all(branch.state is ServiceState.RUNNING for branch in self._branches)

    async def start(self) -> None:
        """Start all in order; when one cannot start, stop what runs and raise its error."""
        try:
            for branch in self._branches:
                await self._start(branch)
        except BaseException:
            await self.stop("the start failed")
            raise

    async def _start(self, branch: Branch) -> None:
        branch.task = self._scope.start(branch.spec.name, self._live(branch))
        ready = self._scope.start(f"{branch.spec.name} ready", branch.is_ready.wait())
        await asyncio.wait({branch.task, ready}, timeout=branch.spec.ready_within, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if branch.is_ready.is_set():
            return
        if branch.failure is not None:
            raise branch.failure
        raise ServiceFailedError(
            f"The service `{branch.spec.name}` was not ready within {branch.spec.ready_within:g} s."
        )

    async def _live(self, branch: Branch) -> None:
        """A service's whole life: runs, and runs again as its policy says."""
        while not branch.stop.is_set():
            branch.become(ServiceState.STARTING)
            branch.began = self._clock.monotonic()
            failure = await self._run_once(branch)
            if branch.stop.is_set():
                break
            first_start = not branch.is_ready.is_set()
            if first_start or branch.spec.restart is Restart.NEVER:
                branch.become(ServiceState.FAILED, told(failure))
                branch.failure = failure
                if not first_start:
                    log.error("the service %s ended: %s", branch.spec.name, failure)
                    self._on_fatal(f"the service `{branch.spec.name}` ended: {told(failure)}")
                return
            await self._pause(branch, failure)
        branch.become(ServiceState.STOPPED, branch.reason)

    async def _run_once(self, branch: Branch) -> BaseException:
        """What ended this run, as an error, whatever it was."""
        try:
            await branch.service.run(branch)
        except ThorpError as error:
            return error
        except Exception as error:  # border: task scope
            log.exception("the service %s failed", branch.spec.name)
            return error
        return ServiceFailedError(f"The service `{branch.spec.name}` ended by itself.")

    async def _pause(self, branch: Branch, failure: BaseException) -> None:
        if self._clock.monotonic() - branch.began >= GOOD_RUN:
            branch.restarts = 0
        seconds = pause_before(branch.restarts)
        branch.restarts += 1
        branch.become(ServiceState.RESTARTING, f"{told(failure)} Starts again in {seconds:g} s.")
        log.warning("the service %s starts again in %g s: %s", branch.spec.name, seconds, failure)
        try:
            async with asyncio.timeout(seconds):
                await branch.stop.wait()
        except TimeoutError:
            return

    async def stop(self, reason: str) -> None:
        """Stop all in reverse order, each within its own time; who takes longer is cancelled."""
        for branch in reversed(self._branches):
            branch.reason = reason
            branch.stop.set()
            if branch.task is None or branch.task.done():
                continue
            branch.become(ServiceState.STOPPING, reason)
            _, late = await asyncio.wait({branch.task}, timeout=branch.spec.stop_within)
            if late:
                log.warning("the service %s took longer than %g s to stop", branch.spec.name, branch.spec.stop_within)
                branch.task.cancel()
                await asyncio.wait({branch.task})
                branch.become(ServiceState.STOPPED, f"{reason}; it did not stop in time and was cancelled")
        await self._scope.close()
