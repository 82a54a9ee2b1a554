"""One running node: its services, its end, and the order in which it goes."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from thorp.app.ready import Ready
from thorp.app.tree import Branch, ServiceTree
from thorp.base.clock import Clock
from thorp.base.fanout import Fanout
from thorp.base.hooks import nothing
from thorp.base.service import Service
from thorp.bus.dispatch import Bus
from thorp.node.types import NodeState
from thorp.wire.changes import Change, NodeStopping, ServiceChanged

log = logging.getLogger(__name__)
DRAIN_SECONDS: Final = 3.0  # of the ten a stop may take


class Node:
    def __init__(self, bus: Bus, changes: Fanout[Change], clock: Clock) -> None:
        self._bus = bus
        self._changes = changes
        self._clock = clock
        self._tree = ServiceTree((), clock, self._told, self._fatal)
        self._ready: Callable[[], Ready] | None = None
        self._close_doors: Callable[[], None] = nothing
        self._stop = asyncio.Event()
        self._reason = ""
        self._failed = False
        self.state = NodeState.STARTING

    @property
    def tree(self) -> ServiceTree:
        return self._tree

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def is_ready(self) -> bool:
        return self.state is NodeState.RUNNING and self._tree.all_running

    def consist_of(
        self, services: Sequence[Service], ready: Callable[[], Ready], close_doors: Callable[[], None]
    ) -> None:
        """Given once, before the start: the parts need the node, and the node its parts."""
        self._tree = ServiceTree(services, self._clock, self._told, self._fatal)
        self._ready = ready
        self._close_doors = close_doors

    def request_stop(self, reason: str) -> None:
        if not self._stop.is_set():
            self._reason = reason
            self._stop.set()

    async def run(self, on_ready: Callable[[Ready], None]) -> bool:
        """Start, tell, wait for the end, stop in order. Answers whether the node ended in good order."""
        await self._tree.start()
        self.state = NodeState.RUNNING
        if self._ready is not None:
            on_ready(self._ready())
        await self._stop.wait()
        await self._end()
        return not self._failed

    async def _end(self) -> None:
        log.info("stopping: %s", self._reason)
        self.state = NodeState.STOPPING
        self._changes.publish(NodeStopping(reason=self._reason))
        self._close_doors()
        await self._bus.drain(DRAIN_SECONDS, "the node stops")
        self._changes.close()
        await self._tree.stop(self._reason)

    def _told(self, branch: Branch) -> None:
        log.debug("service %s: %s %s", branch.spec.name, branch.state, branch.message)
        self._changes.publish(ServiceChanged(name=branch.spec.name, state=branch.state, message=branch.message))

    def _fatal(self, why: str) -> None:
        log.error("the node cannot go on: %s", why)
        self._failed = True
        self.request_stop(why)
