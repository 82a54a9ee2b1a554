"""What a long-lived part of the node looks like to the tree that keeps it alive.

A service is one coroutine that holds its whole life: acquire, `life.ready()`, wait for `life.until_stop()`, release.
Constructors only store; everything acquired is released by the same coroutine, whatever happens.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Restart(StrEnum):
    """What the tree does when a service ends by itself."""

    NEVER = "never"  # its end is the end of the node
    ON_FAILURE = "on_failure"  # again after a growing pause


class ServiceState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    name: str
    order: int  # lower starts earlier and stops later
    restart: Restart = Restart.ON_FAILURE
    ready_within: float = 10.0
    stop_within: float = 3.0


class Life(Protocol):
    """What the tree lends to a running service."""

    def ready(self) -> None:
        """Say that the service can be used."""
        ...

    async def until_stop(self) -> str:
        """Wait until the tree asks for the end; answers with the reason."""
        ...


class Service(Protocol):
    @property
    def spec(self) -> ServiceSpec: ...

    async def run(self, life: Life) -> None: ...
