import asyncio

import pytest

from thorp.access.live import CutError, LiveCalls, TooManyRunningError
from thorp.base.tasks import TaskScope
from thorp.testing.clock import FakeClock


class Runner:
    """Runs for ever on a credential and says how it ended."""

    def __init__(self, live: LiveCalls, credential: str, expires: float | None = None) -> None:
        self.live, self.credential, self.expires = live, credential, expires
        self.running = asyncio.Event()

    async def run(self) -> str:
        try:
            with self.live.call(self.credential, self.expires):
                self.running.set()
                await asyncio.Event().wait()
        except CutError as error:
            return error.message
        return "never"


def test_A20_cutting_a_credential_ends_its_calls_and_no_others() -> None:
    async def story() -> tuple[int, list[str], bool, int]:
        live = LiveCalls(FakeClock())
        ours, others = [Runner(live, "k1"), Runner(live, "k1")], Runner(live, "k2")
        async with TaskScope("calls") as scope:
            tasks = [scope.start("one", runner.run()) for runner in ours]
            other = scope.start("other", others.run())
            for runner in (*ours, others):
                await runner.running.wait()
            number = live.cut("k1", "The key of this call was revoked.")
            ends = [await task for task in tasks]
            return number, ends, other.done(), live.running

    assert asyncio.run(story()) == (2, ["The key of this call was revoked."] * 2, False, 1)


def test_cutting_what_does_not_run_ends_nothing() -> None:
    assert LiveCalls(FakeClock()).cut("k1", "gone") == 0


def test_a_second_cut_finds_nothing_left_to_end() -> None:
    async def story() -> tuple[int, int, str]:
        live = LiveCalls(FakeClock())
        runner = Runner(live, "k1")
        async with TaskScope("calls") as scope:
            task = scope.start("one", runner.run())
            await runner.running.wait()
            return live.cut("k1", "first"), live.cut("k1", "second"), await task

    assert asyncio.run(story()) == (1, 0, "first")


def test_A20_a_call_ends_when_its_credential_expires() -> None:
    async def story() -> str:
        clock = FakeClock()
        return await Runner(LiveCalls(clock), "k1", expires=clock.wall() + 0.01).run()

    assert asyncio.run(story()) == "The credential of this call expired."


def test_a_call_on_an_expired_credential_does_not_even_wait_once() -> None:
    async def story() -> str:
        clock = FakeClock()
        return await Runner(LiveCalls(clock), "k1", expires=clock.wall() - 1).run()

    assert asyncio.run(story()) == "The credential of this call expired."


def test_a_call_that_ends_its_own_credential_gets_its_answer() -> None:
    async def story() -> tuple[int, int, str]:
        live = LiveCalls(FakeClock())
        stream = Runner(live, "s1")
        async with TaskScope("calls") as scope:
            streaming = scope.start("stream", stream.run())
            await stream.running.wait()
            with live.call("s1"):
                at_once = live.cut("s1", "The login of this call was ended.")
                deeper = await scope.start("deeper", cut_deeper(live))
            return at_once, deeper, await streaming

    async def cut_deeper(live: LiveCalls) -> int:
        return live.cut("s1", "again")

    assert asyncio.run(story()) == (1, 0, "The login of this call was ended.")


def test_somebody_elses_cancelling_stays_cancelling() -> None:
    async def story() -> list[bool]:
        live = LiveCalls(FakeClock())
        plain, both = Runner(live, "k1"), Runner(live, "k2")
        async with TaskScope("calls") as scope:
            tasks = [scope.start("call", runner.run()) for runner in (plain, both)]
            await plain.running.wait()
            await both.running.wait()
            live.cut("k2", "revoked")
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return [task.cancelled() for task in tasks]

    assert asyncio.run(story()) == [True, True]


def test_a_cut_call_leaves_its_task_usable() -> None:
    async def story() -> int:
        live = LiveCalls(FakeClock())
        runner = Runner(live, "k1")

        async def run_then_go_on() -> int:
            await runner.run()
            async with asyncio.timeout(60):
                await asyncio.sleep(0)
            return asyncio.current_task().cancelling()

        async with TaskScope("calls") as scope:
            task = scope.start("one", run_then_go_on())
            await runner.running.wait()
            live.cut("k1", "revoked")
            return await task

    assert asyncio.run(story()) == 0


def test_a_stubborn_call_is_told_by_its_check() -> None:
    async def story() -> str:
        live = LiveCalls(FakeClock())
        running = asyncio.Event()

        async def stubborn() -> str:
            with live.call("k1") as call:
                call.check()
                running.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    with pytest.raises(CutError) as caught:
                        call.check()
                    return caught.value.message

        async with TaskScope("calls") as scope:
            task = scope.start("stubborn", stubborn())
            await running.wait()
            live.cut("k1", "revoked")
            return await task

    assert asyncio.run(story()) == "revoked"


def test_only_so_many_calls_run_at_once() -> None:
    async def story() -> None:
        live = LiveCalls(FakeClock(), room=2)
        with live.call("k1"), live.call("k2"):
            with pytest.raises(TooManyRunningError) as caught, live.call("k3"):
                pass
            assert (caught.value.status, caught.value.retry_after) == (429, 1.0)
        with live.call("k3"):
            assert live.running == 1
        assert (live.running, live._calls) == (0, {})

    asyncio.run(story())


def test_a_failing_call_is_forgotten_too() -> None:
    async def story() -> int:
        live = LiveCalls(FakeClock())
        with pytest.raises(ZeroDivisionError), live.call("k1", expires=live._clock.wall() + 60):
            raise ZeroDivisionError
        return live.running

    assert asyncio.run(story()) == 0
