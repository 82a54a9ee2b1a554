"""All transfers of this home, as one process sees them: those it carries, and those another one does.

Starting, pausing and cancelling are files first, so that every process may do it to every transfer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import InternalError, ThorpError
from thorp.base.moments import rfc3339
from thorp.base.tasks import TaskScope
from thorp.base.ulid import new_ulid
from thorp.models.budget import Budget
from thorp.models.carrier import CANCEL, CANCEL_KEEPING, LEAVE, PAUSE, Carrier
from thorp.models.fetching import Pace, TransferEndedError
from thorp.models.hashing import HashingEndedError
from thorp.models.layout import digest_of
from thorp.models.plan import PullPlan
from thorp.models.pull import Puller
from thorp.models.receipts import Receipt
from thorp.models.records import AT_REST, CARRIED, ENDED, BadRecordError, Carrying, Record, RecordBook, State, record_of
from thorp.models.settings import MOST_PARALLEL, TransferSettings
from thorp.models.stages import Stage
from thorp.models.transfer_errors import (
    InTransferError,
    NotHeededError,
    TooManyTransfersError,
    TransferEndedAlreadyError,
    over,
    told_of,
)

log = logging.getLogger(__name__)
LOOK_EVERY: Final = 1.0  # seconds between two looks at what other processes do
LONGEST_WISH: Final = 15.0  # seconds until another process has to have done what was wished
WAITING: Final = 0.2
MOST_WAITING: Final = 64  # transfers that are not over
LOOK_AGAIN: Final = 0.05  # seconds between two looks at whether a wish was heeded
OVER: Final = frozenset({State.DONE, State.CANCELLED})  # of which nothing is left that belongs to the transfer alone
RESTING: Final[Mapping[str, Any]] = {"note": "", "rate": 0, "eta": None}

NOT_DONE: Final = frozenset(State) - {State.DONE}
Change: TypeAlias = Callable[[Record], Mapping[str, Any]]


def done_with(receipt: Receipt) -> dict[str, Any]:
    return {**RESTING, "state": State.DONE, "done": receipt.size_bytes, "eta": 0.0}


class Told(Protocol):
    def __call__(self, record: Record, *, here: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What transfers are made with."""

    puller: Puller
    book: RecordBook
    clock: Clock
    randomness: Randomness
    settings: Callable[[], TransferSettings]
    told: Told  # in the loop
    finished: Callable[[Receipt], None]  # in the loop; a model is in the library


class Transfers:
    """`open` begins, `close` ends; between them in one event loop."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._book = tools.book
        self._carriers: dict[str, Carrier] = {}
        self._scope = TaskScope("transfers", self._broke)
        self._beginnings: set[asyncio.Task[bool]] = set()
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._unwritten: dict[str, Record] = {}  # how they ended, where the disk was too full to keep that
        self._active = 0
        # Threads of their own: they hold them for hours, and everything else has to go on meanwhile.
        self._threads = ThreadPoolExecutor(MOST_PARALLEL, "transfer")
        self._all = Budget(tools.clock)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def carried(self) -> int:
        """How many are on their way in this process, waiting ones included."""
        return len(self._carriers)

    @property
    def limit(self) -> int:
        return self._tools.settings().limit

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.limit_all(self.limit)
        await asyncio.to_thread(self._book.open)
        await asyncio.to_thread(self._finish_dead)

    async def close(self, *, pausing: bool = False) -> None:
        """End what is carried here; another process, or the next start, goes on with it. `pausing`: nobody does."""
        await asyncio.gather(*self._beginnings, return_exceptions=True)
        for carrier in self._carriers.values():
            carrier.end(PAUSE if pausing else LEAVE)
        await asyncio.gather(*self._lives.values(), return_exceptions=True)
        await self._scope.close()
        self._threads.shutdown(wait=False)

    def limit_all(self, rate: int) -> None:
        self._all.set(rate)

    def refuse_during(self, key: str) -> None:
        """Fail while a transfer of this artifact is not over."""
        if (record := self._book.live(key)) is not None:
            raise InTransferError(
                f"{record.model_id} is being transferred ({record.id}). Wait for its end, or cancel it first.",
                id=record.id,
            )

    def live_partials(self) -> frozenset[tuple[str, bytes]]:
        """The partials that belong to a transfer which is not over, as repository and digest."""
        return self._partials(one for one in self._book.every() if one.state not in OVER)

    def _partials(self, records: Iterable[Record]) -> frozenset[tuple[str, bytes]]:
        found: set[tuple[str, bytes]] = set()
        for record in records:
            with suppress(BadRecordError):  # nobody can go on with it, so nothing belongs to it
                plan = self._book.plan(record.id)
                found |= {(plan.repo, digest_of(one.blob)) for one in plan.files}
        return frozenset(found)

    async def start(self, plan: PullPlan, limit: int | None = None) -> Record:
        """Begin a transfer, or join the one of the same artifact that is under way. Its own limit stays without one."""
        record = record_of(
            plan, new_ulid(self._tools.clock, self._tools.randomness), rfc3339(self._tools.clock.wall()), limit or 0
        )
        self._tools.puller.reached(Stage.PLANNED)
        await asyncio.to_thread(self._refuse_crowd, plan.key)
        begun = await asyncio.to_thread(self._book.begin, record, plan)
        self._tools.puller.reached(Stage.RECORDED)
        await asyncio.to_thread(self._book.tidy)
        found = await self.resume(begun.id)
        if limit in (None, found.limit) or found.state in ENDED:
            return found
        return await self.slow(begun.id, limit)

    def _refuse_crowd(self, key: str) -> None:
        waiting = [one for one in self._book.every() if one.state not in ENDED]
        if len(waiting) >= MOST_WAITING and all(one.key != key for one in waiting):
            raise TooManyTransfersError(
                f"{len(waiting)} transfers are under way, waiting or paused. Wait for one, or cancel one first.",
                retry_after=60.0,
            )

    async def _carry(self, transfer: str, states: frozenset[State]) -> bool:
        """Carry a transfer in this process if it is in one of these states; False: it is not, or another one does.

        Who asks may leave in the middle, so it happens in a task of its own.
        """
        task = self._scope.start(f"begin {transfer}", self._begun(transfer, states))
        self._beginnings.add(task)
        task.add_done_callback(self._beginnings.discard)
        return await asyncio.shield(task)

    async def _begun(self, transfer: str, states: frozenset[State]) -> bool:
        taken = await asyncio.to_thread(self._taken, transfer, states)
        if taken is None:
            return False
        self._carriers[transfer] = taken[0]
        self._lives[transfer] = self._scope.start(transfer, self._live(*taken))
        return True

    def _taken(self, transfer: str, states: frozenset[State]) -> tuple[Carrier, Carrying] | None:
        if (carrying := self._book.carry(transfer)) is None:
            return None
        with ExitStack() as undo:
            undo.callback(carrying.let_go)
            record = self._book.get(transfer)  # as it is now that nobody else changes it
            if record.state not in states:
                return None
            self._book.take_wish(transfer)
            self._book.take_limit(transfer)
            carrier = Carrier(record, self._book, self._tools.clock, self._tell)
            carrier.change(**RESTING, state=State.QUEUED, error=None)
            self._unwritten.pop(transfer, None)
            undo.pop_all()
            return carrier, carrying

    def _tell(self, record: Record) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(self._tools.told, record, here=record.state in CARRIED))

    async def _live(self, carrier: Carrier, carrying: Carrying) -> None:
        transfer = carrier.record.id
        try:
            await self._when_there_is_room(carrier)
            changes = await self._performed(carrier)
            await asyncio.to_thread(self._conclude, carrier, changes)
            if changes.get("state") is State.DONE:
                self._tools.puller.reached(Stage.DONE)
        finally:
            del self._carriers[transfer], self._lives[transfer]
            carrying.let_go()

    def _conclude(self, carrier: Carrier, changes: Mapping[str, Any]) -> None:
        """Keep what became of it; where the disk has no room for that either, who looks on is told all the same."""
        try:
            carrier.change(**changes)
        except ThorpError as error:
            log.warning("how transfer %s ended cannot be kept: %s", carrier.record.id, error.message)
            unwritten = carrier.record.now(**changes)
            self._unwritten[unwritten.id] = unwritten
            self._tell(unwritten)

    def _broke(self, name: str, error: BaseException) -> None:
        """A fault of ours ended a transfer: it says so, and does not begin again by itself."""
        record = self._book.read(name.rpartition("/")[2])
        if record is not None and record.state in CARRIED:
            failure = (
                error if isinstance(error, ThorpError) else InternalError("It failed here. The log has the details.")
            )
            with suppress(ThorpError):  # the disk is full, as it was before
                self._changed(record, {**RESTING, "state": State.FAILED, "error": told_of(failure)})

    async def _when_there_is_room(self, carrier: Carrier) -> None:
        """Wait for the turn; some run at once, the others queue."""
        while not carrier.stop.is_set():
            if self._active < self._tools.settings().parallel:
                return
            await asyncio.to_thread(carrier.heed)
            await asyncio.sleep(WAITING)

    async def _performed(self, carrier: Carrier) -> dict[str, Any]:
        """What became of it."""
        self._active += 1
        try:
            if carrier.stop.is_set():
                return await self._ended(carrier)
            plan = await asyncio.to_thread(self._book.plan, carrier.record.id)
            running = asyncio.get_running_loop()
            receipt = await running.run_in_executor(self._threads, self._pull, plan, carrier)
        except ThorpError as error:
            if carrier.stop.is_set() and (
                carrier.why in (CANCEL, CANCEL_KEEPING) or isinstance(error, TransferEndedError | HashingEndedError)
            ):
                return await self._ended(carrier)
            log.warning("transfer %s failed: %s", carrier.record.id, error.message)
            return {**RESTING, "state": State.FAILED, "error": told_of(error)}
        finally:
            self._active -= 1
        self._tools.finished(receipt)
        return done_with(receipt)

    def _pull(self, plan: PullPlan, carrier: Carrier) -> Receipt:
        settings = self._tools.settings()
        pace = Pace(ranges=settings.ranges, budgets=(self._all, carrier.own_limit), mix=settings.mix)
        return self._tools.puller.pull(plan, pace, carrier.progress, carrier.stop)

    async def _ended(self, carrier: Carrier) -> dict[str, Any]:
        """Somebody asked for the end."""
        if carrier.why == LEAVE:
            return {**RESTING, "note": "waits for the node"}
        if carrier.why == PAUSE:
            return {**RESTING, "state": State.PAUSED}
        return await asyncio.to_thread(self._cancelled, carrier.record, keeping=carrier.why == CANCEL_KEEPING)

    def _cancelled(self, record: Record, *, keeping: bool) -> dict[str, Any]:
        if not keeping:
            with suppress(BadRecordError):
                self._discard(record.id, self._book.plan(record.id))
        note = "what was fetched is kept" if keeping else ""
        return {**RESTING, "state": State.CANCELLED, "note": note, "error": None}

    def _discard(self, transfer: str, plan: PullPlan) -> None:
        """Remove what it has fetched, but nothing that another transfer goes on with."""
        others = (one for one in self._book.every() if one.id != transfer and one.state not in ENDED)
        needed = self._partials(others)
        files = tuple(one for one in plan.files if (plan.repo, digest_of(one.blob)) not in needed)
        self._tools.puller.discard(replace(plan, files=files))

    def rows(self) -> tuple[Record, ...]:
        """Every transfer, newest first."""
        return tuple(self.row(one.id, one) for one in self._book.every())

    def row(self, transfer: str, read: Record | None = None) -> Record:
        """One transfer as it stands; one whose carrier died is waiting for another."""
        if (carrier := self._carriers.get(transfer)) is not None:
            return carrier.record
        if (unwritten := self._unwritten.get(transfer)) is not None:
            return unwritten
        record = read or self._book.get(transfer)
        while record.state in CARRIED and not self._book.is_carried(transfer):
            if (now := self._book.get(transfer)) == record:  # else whoever carried it has just brought it to an end
                return record.now(state=State.PAUSED, note="its process ended; resume it", rate=0, eta=None)
            record = now
        return record

    def is_here(self, transfer: str) -> bool:
        return transfer in self._carriers

    async def pause(self, transfer: str) -> Record:
        record = await asyncio.to_thread(self._book.get, transfer)
        if record.state in ENDED:
            raise over(record)
        return await self._brought_to(AT_REST, transfer, PAUSE, lambda _: {**RESTING, "state": State.PAUSED})

    async def cancel(self, transfer: str, *, keeping: bool = False) -> Record:
        if (record := await asyncio.to_thread(self._book.get, transfer)).state is State.DONE:
            raise over(record)
        wish = CANCEL_KEEPING if keeping else CANCEL
        return await self._brought_to(OVER, transfer, wish, partial(self._cancelled, keeping=keeping))

    async def resume(self, transfer: str) -> Record:
        """Go on with it here, unless it goes on somewhere already."""
        record = await asyncio.to_thread(self._book.get, transfer)
        other = await asyncio.to_thread(self._book.live, record.key)
        if record.state in ENDED - {State.DONE} and other is not None:
            raise TransferEndedAlreadyError(
                f"The transfer {transfer} is {record.state}, and {other.id} brings the same model by now.", id=other.id
            )

        async def step() -> Record | None:
            record = await asyncio.to_thread(self._book.get, transfer)
            if record.state is State.DONE or await self._goes_on(record) or await self._carry(transfer, NOT_DONE):
                return await asyncio.to_thread(self.row, transfer)
            return None  # who carried it is just putting it down

        return await self._until(transfer, step)

    async def slow(self, transfer: str, rate: int) -> Record:
        """Limit one transfer."""
        record = await asyncio.to_thread(self._book.get, transfer)
        if record.state in ENDED:
            raise over(record)
        if (carrier := self._carriers.get(transfer)) is not None:
            await asyncio.to_thread(carrier.limit, rate)
            return carrier.record
        at_rest = await asyncio.to_thread(self._at_rest, transfer, ENDED, lambda _: {"limit": rate})
        if at_rest is not None:
            return at_rest
        await asyncio.to_thread(self._book.wish_limit, transfer, rate)
        return record.now(limit=rate)

    async def _goes_on(self, record: Record) -> bool:
        if (carrier := self._carriers.get(record.id)) is not None:
            return not carrier.stop.is_set()
        return record.state in CARRIED and await asyncio.to_thread(self._book.is_carried, record.id)

    async def _brought_to(self, states: frozenset[State], transfer: str, wish: str, change: Change) -> Record:
        """Have who carries a transfer bring it to one of these states; where nobody does, it is changed here."""
        wished = False

        async def step() -> Record | None:
            nonlocal wished
            if (carrier := self._carriers.get(transfer)) is not None:
                carrier.end(wish)
                await asyncio.wait((self._lives[transfer],), timeout=LONGEST_WISH)
            record = await asyncio.to_thread(self._book.get, transfer)
            if record.state in states:
                return record
            if (at_rest := await asyncio.to_thread(self._at_rest, transfer, states, change)) is not None:
                return at_rest
            if not wished:
                wished = True
                await asyncio.to_thread(self._book.wish, transfer, wish)
            return None

        return await self._until(transfer, step)

    async def _until(self, transfer: str, step: Callable[[], Awaitable[Record | None]]) -> Record:
        end = self._tools.clock.monotonic() + LONGEST_WISH
        while (record := await step()) is None:
            if self._tools.clock.monotonic() > end:
                raise NotHeededError(f"What carries the transfer {transfer} does not react. Try again.", id=transfer)
            await asyncio.sleep(LOOK_AGAIN)
        return record

    def _at_rest(self, transfer: str, states: frozenset[State], change: Change) -> Record | None:
        """Change a transfer that nobody carries, unless it is in one of these states; None: somebody carries it."""
        if (carrying := self._book.carry(transfer)) is None:
            return None
        try:
            record = self._book.get(transfer)
            return record if record.state in states else self._changed(record, change(record))
        finally:
            carrying.let_go()

    def _finish_dead(self) -> None:
        """Say that those are done whose process died with everything in the library but this last word unsaid."""
        library = self._tools.puller.library
        left = [one for one in self._book.every() if one.state in CARRIED]
        kept = {one.key: one for one in library.receipts()} if left else {}
        for record in left:
            if (receipt := kept.get(record.key)) is not None and library.state(receipt).complete:
                self._at_rest(record.id, frozenset(State) - CARRIED, lambda _, receipt=receipt: done_with(receipt))

    def _changed(self, record: Record, changes: Mapping[str, Any]) -> Record:
        changed = record.now(**changes, updated=rfc3339(self._tools.clock.wall()))
        self._book.write(changed)
        self._tell(changed)
        return changed

    async def take_over(self) -> None:
        """Look after what other processes carry: tell what changes, and go on with what a dead one left."""
        before: dict[str, Record] | None = None
        seen = -1
        while True:
            changed, elsewhere = await asyncio.to_thread(self._book.changed), self._carried_elsewhere(before)
            if changed == seen and not elsewhere:
                await asyncio.sleep(LOOK_EVERY)
                continue
            seen = changed
            records = {one.id: one for one in await asyncio.to_thread(self._book.every)}
            for record in records.values():
                if record.id in self._carriers or await self._went_on(record):
                    continue
                if before is not None and before.get(record.id) != record:
                    self._tools.told(record, here=False)
            before = records
            await asyncio.sleep(LOOK_EVERY)

    def _carried_elsewhere(self, records: Mapping[str, Record] | None) -> bool:
        """Whether another process was at work when somebody looked last; when it dies, no file tells."""
        return any(one.state in CARRIED and one.id not in self._carriers for one in (records or {}).values())

    async def look_after(self, transfer: str) -> None:
        """Go on with one that another process carried, if that one died."""
        if transfer not in self._carriers and transfer not in self._unwritten:
            await self._went_on(await asyncio.to_thread(self._book.get, transfer))

    async def _went_on(self, record: Record) -> bool:
        """Go on with it if its carrier died."""
        try:
            return record.state in CARRIED and await self._carry(record.id, CARRIED)
        except ThorpError as error:
            log.warning("transfer %s cannot go on: %s", record.id, error.message)
            return False
