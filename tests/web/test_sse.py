"""How events are written and sent."""

import asyncio
from collections.abc import AsyncGenerator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from thorp.web.sse import ClientGoneError, event, send_events, while_connected


@given(some.text(some.characters(exclude_categories=("Cs",))))
def test_no_text_breaks_out_of_its_event(text: str) -> None:
    written = event("change", {"text": text}, "boot-1")
    assert written.endswith(b"\n\n")
    lines = written[:-2].split(b"\n")
    assert lines[:2] == [b"event: change", b"id: boot-1"]
    assert orjson.loads(lines[2].removeprefix(b"data: ")) == {"text": text}
    assert len(lines) == 3


class Line:
    """A connection that a test cuts."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.cut = asyncio.Event()

    async def receive(self) -> dict[str, object]:
        await self.cut.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)


def test_events_go_out_and_the_answer_ends() -> None:
    async def two() -> AsyncGenerator[bytes, None]:
        yield b"one"
        yield b"two"

    async def story() -> list[dict[str, object]]:
        line = Line()
        await send_events(line.send, line.receive, two(), {"X-Test": "1"})
        return line.sent

    start, *bodies = asyncio.run(story())
    assert (b"x-test", b"1") in start["headers"]
    assert [one["body"] for one in bodies] == [b"one", b"two", b""]
    assert bodies[-1]["more_body"] is False


def test_the_head_alone_waits_for_no_event() -> None:
    begun: list[bool] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        begun.append(True)
        yield b"one"

    async def story() -> list[dict[str, object]]:
        line = Line()
        await send_events(line.send, line.receive, endless(), {}, head_only=True)
        return line.sent

    start, end = asyncio.run(story())
    assert (start["status"], end["body"], end["more_body"]) == (200, b"", False)
    assert begun == []


def test_a_client_that_leaves_closes_the_source() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def story() -> None:
        line = Line()
        sending = asyncio.create_task(send_events(line.send, line.receive, endless(), {}))
        while len(line.sent) < 2:
            await asyncio.sleep(0)
        line.cut.set()
        await sending

    with pytest.raises(ClientGoneError):
        asyncio.run(story())
    assert closed == [True]


def test_being_cancelled_from_outside_is_not_the_client_leaving() -> None:
    async def story() -> None:
        async def work() -> None:
            async with while_connected(Line().receive):
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(story())


def test_work_that_ends_first_is_left_in_peace() -> None:
    async def story() -> int:
        line = Line()
        async with while_connected(line.receive):
            result = 42
        line.cut.set()
        await asyncio.sleep(0)
        return result

    assert asyncio.run(story()) == 42
