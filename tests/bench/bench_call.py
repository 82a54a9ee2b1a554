"""What the bus adds to a call, beside a bare coroutine; and what REST adds to that, beside `/healthz`.

`python tests/bench/bench_call.py [rounds]`: the best round counts, interleaved, in CPU time. Nothing is asserted.
"""

import asyncio
import http.client
import json
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from measured_node import Measured, node_of_its_own

from thorp.base.clock import SystemClock
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import owner
from thorp.wire.capability import Call, Capability, Offer
from thorp.wire.model import Message

ROUNDS = 7
CALLS = 5_000  # of one kind in a round
REQUESTS = 400
WANTED_US = 60  # at most, of CPU, for a local call


class Question(Message):
    number: int


class Reply(Message):
    number: int


DOUBLE = Capability("bench.double", "1.0", "Twice as much.", request=Question, answer=Reply)


async def double(call: Call[Question]) -> Reply:
    return Reply(number=2 * call.input.number)


async def bus_with_one_offer() -> Bus:
    bus = Bus(SystemClock(), lambda _change: None)
    await bus.register(Offer(DOUBLE, unary=double))
    return bus


async def each_us(work: Callable[[], Awaitable[object]]) -> float:
    """CPU time of one of many, in microseconds."""
    began = time.thread_time()
    for _ in range(CALLS):
        await work()
    return 1e6 * (time.thread_time() - began) / CALLS


async def local(rounds: int) -> dict[str, float]:
    bus, principal = await bus_with_one_offer(), owner()
    typed, untyped = Question(number=21), {"number": 21}
    call = Call(typed, principal, "r")
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "bare_coroutine": lambda: double(call),
        "bus_typed": lambda: bus.call(Order("bench.double@1.0", principal, typed)),
        "bus_from_json": lambda: bus.call(Order("bench.double@1.0", principal, untyped)),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, work in ways.items():
            best[name] = min(best[name], await each_us(work))
    return {f"{name}_us": value for name, value in best.items()}


def asked(connection: http.client.HTTPConnection, node: Measured, method: str, path: str, body: bytes | None) -> None:
    connection.request(method, path, body, node.owner)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"{method} {path} was answered with {response.status}")


WAYS: dict[str, tuple[str, str, bytes | None]] = {
    "healthz": ("GET", "/healthz", None),
    "noun": ("GET", "/api/v1/node", None),
    "call": ("POST", "/api/v1/call/node.info", b"{}"),
    "echo": ("POST", "/api/v1/call/node.echo", b'{"input":{"text":"good morning"}}'),
}


def over_rest(rounds: int) -> dict[str, float]:
    """CPU time of the node for one request, on one connection that stays open."""
    best = dict.fromkeys(WAYS, float("inf"))
    with node_of_its_own() as node:
        connection = node.connection()
        for _ in range(rounds + 1):  # the first warms up
            for name, (method, path, body) in WAYS.items():
                before = node.cpu()
                for _ in range(REQUESTS):
                    asked(connection, node, method, path, body)
                best[name] = min(best[name], 1e6 * (node.cpu() - before) / REQUESTS)
        connection.close()
    return {f"rest_{name}_us": value for name, value in best.items()}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(local(rounds))
    result |= over_rest(rounds)
    added = result["bus_typed_us"] - result["bare_coroutine_us"]
    result["bus_adds_us"] = added
    result["rest_call_to_healthz"] = result["rest_call_us"] / result["rest_healthz_us"]
    for name, value in result.items():
        print(f"{name:<22} {value:9.2f}")
    print(f"a local call costs {added:.1f} us of CPU more than the bare coroutine (wanted: {WANTED_US} or less)")
    print(f"a call over REST costs {result['rest_call_to_healthz']:.2f} times what `/healthz` costs")
    print(json.dumps({"bench": "call", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
