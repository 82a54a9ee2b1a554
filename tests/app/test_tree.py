"""The service tree: order, restarts, deadlines, and an end for everything."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from thorp.app.tree import FIRST_PAUSE, LONGEST_PAUSE, Branch, ServiceFailedError, ServiceTree, pause_before
from thorp.base.errors import ConflictError
from thorp.base.service import Life, Restart, ServiceSpec, ServiceState
from thorp.testing.clock import FakeClock


@dataclass
class Diary:
    lines: list[str] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def told(self, branch: Branch) -> None:
        self.lines.append(f"{branch.spec.name} {branch.state}")
        self.messages.append(branch.message)


@dataclass
class Worker:
    """A service that does what the test says."""

    spec: ServiceSpec
    body: Callable[[Life], Awaitable[None]]

    async def run(self, life: Life) -> None:
        await self.body(life)


async def obedient(life: Life) -> None:
    life.ready()
    await life.until_stop()


def worker(name: str, order: int, body: Callable[[Life], Awaitable[None]] = obedient, **spec: object) -> Worker:
    return Worker(ServiceSpec(name, order, **spec), body)  # pyright: ignore[reportArgumentType]


def tree_of(diary: Diary, *workers: Worker) -> ServiceTree:
    return ServiceTree(workers, FakeClock(), diary.told, diary.fatal.append)


def test_services_start_in_order_and_stop_in_reverse() -> None:
    diary = Diary()

    async def story() -> None:
        tree = tree_of(diary, worker("b", 2), worker("a", 1), worker("c", 3))
        await tree.start()
        assert tree.all_running
        await tree.stop("enough")

    asyncio.run(story())
    assert [line for line in diary.lines if line.endswith("running")] == ["a running", "b running", "c running"]
    assert [line for line in diary.lines if line.endswith("stopped")] == ["c stopped", "b stopped", "a stopped"]


def test_one_that_cannot_start_stops_the_others_and_tells_its_own_error() -> None:
    diary = Diary()

    async def taken(_life: Life) -> None:
        raise ConflictError("the port is taken")

    async def story() -> None:
        await tree_of(diary, worker("a", 1), worker("b", 2, taken), worker("c", 3)).start()

    with pytest.raises(ConflictError, match="port is taken"):
        asyncio.run(story())
    assert diary.lines[-1] == "a stopped"
    assert "c starting" not in diary.lines


def test_one_that_is_never_ready_is_not_waited_for_for_ever() -> None:
    async def dreams(life: Life) -> None:
        await life.until_stop()

    async def story() -> None:
        await tree_of(Diary(), worker("a", 1, dreams, ready_within=0.01)).start()

    with pytest.raises(ServiceFailedError, match="not ready"):
        asyncio.run(story())


def test_one_that_fails_later_starts_again() -> None:
    runs: list[int] = []
    diary = Diary()
    again = asyncio.Event()

    async def stumbles(life: Life) -> None:
        runs.append(len(runs))
        life.ready()
        if len(runs) == 1:
            raise ZeroDivisionError
        again.set()
        await life.until_stop()

    async def story() -> None:
        tree = tree_of(diary, worker("a", 1, stumbles))
        await tree.start()
        await again.wait()
        await tree.stop("enough")

    asyncio.run(story())
    assert diary.lines == [
        "a starting",
        "a running",
        "a restarting",
        "a starting",
        "a running",
        "a stopping",
        "a stopped",
    ]


def test_the_end_of_one_that_may_not_end_is_the_end_of_the_node() -> None:
    diary = Diary()

    async def leaves(life: Life) -> None:
        life.ready()

    async def story() -> None:
        tree = tree_of(diary, worker("a", 1, leaves, restart=Restart.NEVER))
        await tree.start()
        await asyncio.sleep(0.01)
        assert tree.branches[0].state is ServiceState.FAILED
        await tree.stop("enough")

    asyncio.run(story())
    assert diary.fatal == ["the service `a` ended: The service `a` ended by itself."]


@pytest.mark.parametrize("restart", Restart)
def test_why_one_failed_is_told_without_its_folder_and_logged_with_it(
    restart: Restart, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary()

    async def fails(life: Life) -> None:
        life.ready()
        raise ConflictError("`/srv/ann/thorp.db` is locked.")

    async def story() -> None:
        tree = tree_of(diary, worker("a", 1, fails, restart=restart))
        await tree.start()
        while tree.branches[0].state not in {ServiceState.FAILED, ServiceState.RESTARTING}:
            await asyncio.sleep(0)
        await tree.stop("enough")

    asyncio.run(story())
    assert any("`thorp.db` is locked." in message for message in diary.messages)
    assert "/srv" not in "".join([*diary.messages, *diary.fatal])
    assert "`/srv/ann/thorp.db` is locked." in caplog.text


def test_one_that_does_not_stop_in_time_is_cancelled() -> None:
    diary, ended = Diary(), list[str]()

    async def stubborn(life: Life) -> None:
        life.ready()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def story() -> None:
        tree = tree_of(diary, worker("a", 1, stubborn, stop_within=0.01))
        await tree.start()
        await tree.stop("enough")

    asyncio.run(story())
    assert ended == ["cancelled"]
    assert diary.lines[-1] == "a stopped"


def test_stopping_interrupts_the_pause_before_a_restart() -> None:
    async def fails(life: Life) -> None:
        life.ready()
        raise ZeroDivisionError

    async def story() -> list[ServiceState]:
        tree = tree_of(Diary(), worker("a", 1, fails))
        await tree.start()
        while tree.branches[0].state is not ServiceState.RESTARTING:
            await asyncio.sleep(0)
        await tree.stop("enough")
        return [tree.branches[0].state]

    assert asyncio.run(story()) == [ServiceState.STOPPED]


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_before(restarts) for restarts in range(40)]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
