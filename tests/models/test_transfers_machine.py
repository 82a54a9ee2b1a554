"""Two processes of one home do to transfers whatever comes to their minds; no order of it breaks anything.

The two are two `Transfers` on one folder: the kernel keeps their locks apart as it does for processes.
"""

import asyncio
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.models.test_records import a_plan
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.errors import NetworkError
from thorp.models.fetching import Pace, TransferEndedError
from thorp.models.library import Library
from thorp.models.plan import PullPlan
from thorp.models.ports import Stop
from thorp.models.pull import Puller, Standing, Told
from thorp.models.receipts import Origin, Receipt
from thorp.models.records import ENDED, RecordBook, State
from thorp.models.settings import TransferSettings
from thorp.models.stages import unwatched
from thorp.models.transfer_errors import TransferEndedAlreadyError
from thorp.models.transfers import Tools, Transfers
from thorp.models.types import Format, SourceKind
from thorp.testing.library import a_library

T = TypeVar("T")
ARTIFACTS = st.sampled_from(["One", "Two", "Three"])
WHERE = st.sampled_from([0, 1])
WHICH = st.integers(0, 7)


class FastPuller:
    """Brings nothing until it is let; remembers who works on what."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.working: Counter[str] = Counter()
        self.crowd = False
        self.partials: set[str] = set()
        self.whole: set[str] = set()
        self.let: dict[str, str] = {}  # how the work on an artifact ends
        self.reached = unwatched
        self._lock = threading.Lock()

    def pull(self, plan: PullPlan, pace: Pace, told: Told, stop: Stop) -> Receipt:
        with self._lock:
            self.working[plan.key] += 1
            self.crowd |= self.working[plan.key] > 1
            self.partials.add(plan.key)
        try:
            while True:
                told(Standing(plan.size, 10, {"hub": 10}))
                if self.let.get(plan.key) == "done":
                    break
                if self.let.get(plan.key) == "failed":
                    raise NetworkError("The line broke.")
                if stop.wait(0.002):
                    raise TransferEndedError("The transfer was told to end.")
        finally:
            with self._lock:
                self.working[plan.key] -= 1
        self.partials.discard(plan.key)
        self.whole.add(plan.key)
        return a_receipt(plan)

    def discard(self, plan: PullPlan) -> None:
        if plan.files:
            self.partials.discard(plan.key)


def a_receipt(plan: PullPlan) -> Receipt:
    return Receipt(
        model_id=plan.model_id,
        repo=plan.repo,
        revision=plan.revision,
        format=Format.GGUF,
        files=(),
        source=Origin(SourceKind.HUB, "fake"),
        downloaded_at="2026-01-01T00:00:00.000Z",
        verified_at="2026-01-01T00:00:00.000Z",
        artifact=plan.artifact,
    )


def a_plan_of(artifact: str) -> PullPlan:
    plan = a_plan(artifact)
    (file,) = plan.files
    blob = artifact.encode().hex().ljust(64, "0")
    return replace(plan, files=(replace(file, blob=blob, sha256=blob),))


class TwoProcesses(RuleBasedStateMachine):
    @initialize(parallel=st.integers(1, 3))
    def begin(self, parallel: int) -> None:
        self.top = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.puller = FastPuller(a_library(self.top))
        self.parallel = parallel
        self.begun: dict[str, str] = {}
        self.over: dict[str, State] = {}
        self.sides = [self.made(), self.made()]

    def made(self) -> Transfers:
        puller: Any = self.puller
        assert isinstance(puller, FastPuller)
        assert set(dir(FastPuller)) >= {"pull", "discard"} <= set(dir(Puller))
        tools = Tools(
            puller=puller,
            book=RecordBook(self.top / "transfers"),
            clock=SystemClock(),
            randomness=SystemRandomness(),
            settings=lambda: TransferSettings(parallel=self.parallel),
            told=lambda record, *, here: None,
            finished=lambda receipt: None,
        )
        made = Transfers(tools)
        self.told(made.open())
        return made

    def told(self, story: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(asyncio.wait_for(story, 30))

    def one(self, which: int) -> str | None:
        known = sorted(self.begun)
        return known[which % len(known)] if known else None

    @rule(side=WHERE, artifact=ARTIFACTS, limit=st.sampled_from([0, 5]))
    def start(self, side: int, artifact: str, limit: int) -> None:
        plan = a_plan_of(artifact)
        live = {one.id for one in self.sides[side].rows() if one.key == plan.key and one.state not in ENDED}
        record = self.told(self.sides[side].start(plan, limit))
        assert record.state in (State.QUEUED, State.ACTIVE)
        assert not live or record.id in live
        assert (record.id in self.begun) is bool(live)
        self.begun[record.id] = plan.key

    @rule(artifact=ARTIFACTS)
    def both_start(self, artifact: str) -> None:
        plan = a_plan_of(artifact)

        async def both() -> set[str]:
            records = await asyncio.gather(*(one.start(plan) for one in self.sides))
            return {one.id for one in records}

        (transfer,) = self.told(both())
        self.begun[transfer] = plan.key

    @rule(side=WHERE, which=WHICH)
    def pause(self, side: int, which: int) -> None:
        if transfer := self.one(which):
            try:
                record = self.told(self.sides[side].pause(transfer))
            except TransferEndedAlreadyError:
                assert self.sides[side].row(transfer).state in ENDED
            else:
                assert record.state in ENDED | {State.PAUSED}

    @rule(side=WHERE, which=WHICH)
    def resume(self, side: int, which: int) -> None:
        if transfer := self.one(which):
            live = self.sides[side]._book.live(self.begun[transfer])
            try:
                record = self.told(self.sides[side].resume(transfer))
            except TransferEndedAlreadyError:
                assert live is not None
                assert live.id != transfer
            else:
                assert record.state in (State.QUEUED, State.ACTIVE, State.DONE)

    @rule(side=WHERE, which=WHICH, keeping=st.booleans())
    def cancel(self, side: int, which: int, keeping: bool) -> None:
        if transfer := self.one(which):
            before = self.sides[side].row(transfer).state
            record = self.told(self.sides[side].cancel(transfer, keeping=keeping))
            assert record.state in (State.CANCELLED, State.DONE)
            others = [
                one for one in self.sides[side].rows() if one.key == record.key and one.state is not State.CANCELLED
            ]
            if record.state is State.CANCELLED is not before and not keeping and not others:
                assert record.key not in self.puller.partials

    @rule(side=WHERE, which=WHICH, rate=st.sampled_from([0, 1, 1000]))
    def limit(self, side: int, which: int, rate: int) -> None:
        if transfer := self.one(which):
            try:
                assert self.told(self.sides[side].slow(transfer, rate)).limit == rate
            except TransferEndedAlreadyError:
                assert self.sides[side].row(transfer).state in ENDED

    @rule(which=WHICH, how=st.sampled_from(["done", "failed"]))
    def comes_to_an_end(self, which: int, how: str) -> None:
        transfer = self.one(which)
        carried = [one for one in self.sides if transfer and one.is_here(transfer)]
        if not transfer or not carried or carried[0].row(transfer).state is not State.ACTIVE:
            return

        async def ends() -> None:
            while carried[0].is_here(transfer):
                await asyncio.sleep(0.005)

        self.puller.let[self.begun[transfer]] = how
        self.told(ends())
        del self.puller.let[self.begun[transfer]]  # whatever begins from here on waits again

    @rule(side=WHERE, pausing=st.booleans())
    def restart(self, side: int, pausing: bool) -> None:
        mine = [one.id for one in self.sides[side].rows() if self.sides[side].is_here(one.id)]
        self.told(self.sides[side].close(pausing=pausing))
        self.sides[side] = self.made()
        for transfer in mine:
            state = self.sides[side]._book.get(transfer).state
            assert state in ENDED | {State.PAUSED} if pausing else state is not State.PAUSED

    @rule(side=WHERE)
    def takes_over(self, side: int) -> None:
        async def look_once() -> None:
            looking = asyncio.ensure_future(self.sides[side].take_over())
            while any(is_orphan(one.id) for one in self.sides[side]._book.every()):
                await asyncio.sleep(0.005)
            looking.cancel()

        def is_orphan(transfer: str) -> bool:
            book = self.sides[side]._book
            record = book.get(transfer)
            return record.state not in ENDED | {State.PAUSED} and not book.is_carried(transfer)

        self.told(look_once())

    @invariant()
    def nobody_crowds_and_nothing_is_lost(self) -> None:
        if not hasattr(self, "sides"):
            return
        assert not self.puller.crowd
        for side in self.sides:
            rows = {one.id: one for one in side.rows()}
            assert set(rows) == set(self.begun)
            assert side._active <= self.parallel
            for transfer, row in rows.items():
                assert row.key == self.begun[transfer]
                assert (row.error is not None) is (row.state is State.FAILED)
                assert row.state is not State.DONE or row.key in self.puller.whole
                if transfer in self.over:
                    assert row.state is State.DONE
        for transfer, row in rows.items():
            if row.state is State.DONE:
                self.over[transfer] = row.state
            assert sum(one.is_here(transfer) for one in self.sides) <= 1

    def teardown(self) -> None:
        if hasattr(self, "sides"):
            for side in self.sides:
                self.told(side.close())
            self.runner.close()
            shutil.rmtree(self.top)


TwoProcesses.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestTwoProcesses = TwoProcesses.TestCase
