"""What a node says about itself."""

import asyncio
from collections.abc import AsyncGenerator

from thorp.identity.ids import NodeId
from thorp.identity.principals import owner
from thorp.node.service import NodeFeature
from thorp.node.types import Self
from thorp.testing.clock import FakeClock
from thorp.testing.surroundings import FakeGauges, FakeSurroundings
from thorp.wire.capabilities.node import EchoAnswer, EchoFrame, EchoRequest
from thorp.wire.capability import Call, Done, Nothing

ME = Self(NodeId("ed25519:x"), "1.2.3", 1_700_000_000.0, 4711)


def feature(around: FakeSurroundings | None = None, clock: FakeClock | None = None) -> NodeFeature:
    return NodeFeature(ME, around or FakeSurroundings(), FakeGauges(), clock or FakeClock())


def call(message: Nothing | EchoRequest) -> Call:
    return Call(message, owner(), "r1")


def test_info_says_who_the_node_is() -> None:
    answer = asyncio.run(feature().info(call(Nothing())))
    assert (answer.id, answer.name, answer.version, answer.protocol) == ("ed25519:x", "kitchen", "1.2.3", 1)


async def collected(items: AsyncGenerator[EchoFrame | Done, None]) -> list[EchoFrame | Done]:
    return [item async for item in items]


def test_echo_says_back_word_by_word_and_then_the_whole() -> None:
    items = asyncio.run(collected(feature().echo(call(EchoRequest(text="good  morning")))))
    assert items == [
        EchoFrame(word="good"),
        EchoFrame(word="morning"),
        Done(EchoAnswer(text="good  morning", words=2)),
    ]


def test_the_report_is_what_was_seen_and_unknown_stays_unknown() -> None:
    clock = FakeClock()
    clock.advance(12.5)
    report = feature(clock=clock).report()
    assert report.node.uptime_s == 12.5
    assert report.node.started == "2023-11-14T22:13:20.000Z"
    assert report.memory.resident_bytes == 50_000_000
    assert report.disk.free_bytes is None
    assert report.config.needs_restart == ("local.port",)
    assert report.services[0].since == "2023-11-14T22:13:20.000Z"


def test_a_clock_that_jumped_back_gives_no_negative_uptime() -> None:
    clock = FakeClock()
    clock.set_wall(1.0)
    assert feature(clock=clock).report().node.uptime_s == 0.0


def test_what_is_not_listed_is_shown_with_its_reason() -> None:
    rows = {row.name: row for row in asyncio.run(feature().capabilities(call(Nothing()))).capabilities}
    assert rows["node.echo"].listed
    assert rows["node.echo"].streamed
    assert (rows["node.status"].listed, rows["node.status"].reason) == (False, "no eyes")


def test_stop_asks_for_the_end_with_a_reason() -> None:
    around = FakeSurroundings()
    assert asyncio.run(feature(around).stop(call(Nothing()))).stopping
    assert around.stop_reasons == ["the owner asked for it"]
