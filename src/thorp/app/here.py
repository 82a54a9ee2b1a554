"""The models feature in this very process, while no node runs: the same service, on a loop in a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from thorp.app.config import ConfigFile, load, sources_of
from thorp.app.environment import Environment
from thorp.app.keeper import change_file
from thorp.app.models import Ground, Models, build_models
from thorp.app.paths import Paths, make_folders
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.fanout import Fanout
from thorp.base.files import DISK
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import owner
from thorp.models.records import AT_REST
from thorp.models.stages import Reached, unwatched
from thorp.wire.capability import Done
from thorp.wire.changes import Change, TransferChanged

T = TypeVar("T")
LOOK: Final = 0.5  # seconds between two looks at a transfer that another process carries

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Engine:
    """A loop in its thread, and the feature on it."""

    loop: asyncio.AbstractEventLoop
    bus: Bus
    models: Models
    changes: Fanout[Change]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; Ctrl-C ends it as well."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


class HereCaller:
    """Calls the capabilities of models without a node."""

    here = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def call(self, name: str, /, **given: object) -> Row:
        return self._engine.run(self._engine.bus.call(Order(name, owner(), given))).model_dump(mode="json")

    def stream(self, name: str, /, **given: object) -> Iterator[tuple[str, Row]]:
        told: SimpleQueue[tuple[str, Row] | None] = SimpleQueue()

        async def pour() -> None:
            async with aclosing(self._engine.bus.stream(Order(name, owner(), given))) as items:
                async for item in items:
                    kind, message = ("done", item.answer) if isinstance(item, Done) else ("frame", item)
                    told.put((kind, message.model_dump(mode="json")))

        yield from self._poured(pour(), told, lambda item: item[0] == "done")

    def follow(self, transfer_id: str) -> Iterator[Row]:
        told: SimpleQueue[Row | None] = SimpleQueue()

        async def watch() -> None:
            with self._engine.changes.listen() as listener:
                told.put(await self._row(transfer_id))
                while True:
                    taken = await listener.take(LOOK)
                    rows = [one.item.model_dump(mode="json") for one in taken if isinstance(one.item, TransferChanged)]
                    for row in [one for one in rows if one["id"] == transfer_id] or [await self._row(transfer_id)]:
                        told.put(row)

        yield from self._poured(watch(), told, lambda row: row["state"] in AT_REST)

    def _poured(
        self, work: Coroutine[Any, Any, None], told: "SimpleQueue[T | None]", is_last: Callable[[T], bool]
    ) -> Iterator[T]:
        """What `work` puts into a queue, up to the last of it; its failure is raised here."""
        future = asyncio.run_coroutine_threadsafe(work, self._engine.loop)
        future.add_done_callback(lambda _: told.put(None))
        try:
            while (item := told.get()) is not None:
                yield item
                if is_last(item):
                    return
            future.result()
        finally:
            future.cancel()

    async def _row(self, transfer_id: str) -> Row:
        await self._engine.models.transfers.look_after(transfer_id)
        answer = await self._engine.bus.call(Order("transfer.show", owner(), {"id": transfer_id}))
        return answer.model_dump(mode="json")


@contextmanager
def open_here(paths: Paths, environment: Environment, reached: Reached = unwatched) -> Generator[HereCaller]:
    """The feature for as long as it is held; what it still carries at the end is paused, and kept."""
    make_folders(paths)
    logging.getLogger("thorp").addHandler(logging.NullHandler())  # what goes wrong is told once, by who asked
    changes = Fanout[Change](room=4096)

    def announce(change: Change) -> None:
        changes.publish(change)

    models = build_here(paths, environment, announce, reached)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="here", daemon=True)
    engine = Engine(loop, Bus(SystemClock(), announce), models, changes)
    thread.start()
    try:
        engine.run(_begin(engine))
        yield HereCaller(engine)
    finally:
        models.close()
        # A second Ctrl-C leaves at once, and this goes on meanwhile.
        asyncio.run_coroutine_threadsafe(models.transfers.close(pausing=True), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_settle())
        loop.close()


async def _settle() -> None:
    """End what was left in the middle: a stream that nobody reads any more."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


async def _begin(engine: Engine) -> None:
    await engine.models.transfers.open()
    for offer in engine.models.offers:
        await engine.bus.register(offer)


def build_here(paths: Paths, environment: Environment, announce: Callable[[Change], None], reached: Reached) -> Models:
    file = ConfigFile(paths.config_file, DISK)
    effective = load(file, environment)

    async def keep_limit(rate: int) -> None:
        nonlocal effective
        effective = change_file(file, sources_of(file, environment), {"transfers.limit": rate})

    return build_models(
        Ground(
            paths=paths,
            hub=environment.hub,
            settings=lambda: effective.settings,
            clock=SystemClock(),
            randomness=SystemRandomness(),
            announce=announce,
            keep_limit=keep_limit,
            reached=reached,
        )
    )
