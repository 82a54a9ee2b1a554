import asyncio
import socket
import ssl
from dataclasses import replace

import pytest

from tests.net.conftest import Client, get, listening
from thorp.net.door import OTHER_USERS, Farewell, Gate, Visit, counted_under
from thorp.net.facts import PeerFacts
from thorp.net.hygiene import HttpLimits
from thorp.net.tls import make_certificate, server_context

SOON = 0.05


class Wire(asyncio.Transport):
    """A connection that only knows where it comes from and what was done to it."""

    def __init__(self, peername=None, sockname=None):
        super().__init__({"peername": peername, "sockname": sockname})
        self.aborted = False

    def abort(self):
        self.aborted = True


@pytest.mark.parametrize(
    ("peername", "expected"),
    [
        (None, None),
        ("", None),
        ((), None),
        (("127.0.0.1", 1), None),
        (("127.9.9.9", 1), None),
        (("::1", 1, 0, 0), None),
        (("::ffff:127.0.0.1", 1, 0, 0), None),
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        (("2001:db8:0:7:1:2:3:4", 1, 0, 0), "2001:db8:0:7::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
    ],
)
def test_a_peer_is_counted_under_its_address_or_its_household(peername, expected):
    wire = Wire(peername, ("192.0.2.1", 8738) if peername else peername)
    assert counted_under(wire, PeerFacts(same_user=None)) == (expected or OTHER_USERS)


@pytest.mark.parametrize("reached", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_who_comes_to_a_loopback_address_from_another_of_this_machines_is_one_of_its_users(reached):
    wire = Wire(("192.0.2.7", 1), (reached, 8737))
    assert counted_under(wire, PeerFacts(same_user=None)) == OTHER_USERS


@pytest.mark.parametrize("peername", [None, "", ("127.0.0.1", 1), ("::1", 1, 0, 0)])
def test_our_own_user_is_not_counted_apart_and_all_others_of_this_machine_are_together(peername):
    assert counted_under(Wire(peername), PeerFacts(same_user=True, at_home=True)) is None
    assert counted_under(Wire(peername), PeerFacts(same_user=False)) == OTHER_USERS


def test_one_peer_cannot_take_every_place():
    gate = Gate(HttpLimits(connections=5, connections_per_peer=2))
    greedy = [gate.enter("192.0.2.7") for _ in range(4)]
    assert [visit is not None for visit in greedy] == [True, True, False, False]
    assert gate.enter("192.0.2.8")
    greedy[0].end()
    assert gate.enter("192.0.2.7")
    assert not gate.enter("192.0.2.7")


def test_this_machine_is_counted_only_in_all():
    gate = Gate(HttpLimits(connections=3, connections_per_peer=1))
    assert [gate.enter(None) is not None for _ in range(4)] == [True, True, True, False]
    assert len(gate) == 3


def test_a_closed_gate_lets_nobody_in_and_cuts_whom_it_was_still_talking_to():
    gate = Gate(HttpLimits(connections=2, turned_away=2))
    inside, outside = gate.enter(None), gate.turn_away()
    inside.wire, outside.wire = Wire(), Wire()
    gate.close()
    assert not gate.turn_away()
    assert outside.wire.aborted
    assert not inside.wire.aborted
    assert not gate.enter(None)
    gate.cut()
    assert inside.wire.aborted
    assert not gate.empty.is_set()
    inside.end()
    outside.end()
    inside.end()
    assert gate.empty.is_set()


def test_A15_connections_over_the_cap_are_refused_politely_and_the_others_live(run):
    async def scenario():
        async with listening(connections=20, linger_seconds=3600, turned_away=1000) as place:
            living = [await place.dial() for _ in range(20)]
            for _ in range(200):
                late = await place.dial()
                heard = await late.ask(get())
                assert (heard.status, heard.code) == (503, "net.too_many_connections")
                assert heard["retry-after"] == "1"
                assert await late.is_closed()
                late.reset()
            for client in living:
                assert (await client.get()).status == 200
            living[0].reset()
            await until(lambda: len(place.listener._house._premises.gate) < 20)
            assert (await (await place.dial()).get()).status == 200

    run(scenario())


def test_A15_who_stays_after_being_turned_away_is_cut_off(run):
    async def scenario():
        async with listening(connections=1, linger_seconds=SOON, turned_away=2) as place:
            await (await place.dial()).get()
            for _ in range(5):
                stubborn = await place.dial()
                assert (await stubborn.hear()).status == 503
                await until(lambda: not place.listener._house._premises.gate._outside)

    run(scenario())


def test_A15_when_too_many_must_be_told_the_next_are_just_cut(run):
    async def scenario():
        async with listening(connections=1, linger_seconds=3600, turned_away=2) as place:
            await (await place.dial()).get()
            for _ in range(2):
                assert (await (await place.dial()).hear()).status == 503
            assert await (await place.dial()).is_closed()

    run(scenario())


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


class Room(asyncio.Protocol):
    """Says good-bye to whoever comes in."""

    def __init__(self, limits):
        self.limits = limits
        self.lost = asyncio.Event()

    def connection_made(self, transport):
        transport.pause_reading()
        visit = Visit(None, lambda _: self.lost.set())
        Farewell(self.limits, visit).take_over(transport, b"good-bye")


def parted(run, scenario, **limits):
    async def whole():
        room = Room(HttpLimits(**limits))
        server = await asyncio.get_running_loop().create_server(lambda: room, "127.0.0.1", 0)
        client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        try:
            await scenario(client, room)
        finally:
            client.reset()
            server.close()
            await asyncio.sleep(0)

    run(whole())


def test_the_last_words_are_heard_by_a_peer_that_is_still_talking(run):
    async def scenario(client, room):
        client.say(b"x" * 500_000)
        await client.writer.drain()
        assert await client.reader.readexactly(8) == b"good-bye"
        client.writer.write_eof()
        await room.lost.wait()

    parted(run, scenario, linger_seconds=3600)


@pytest.mark.parametrize("limits", [{"linger_bytes": 1000, "linger_seconds": 3600}, {"linger_seconds": SOON}])
def test_the_last_words_end_although_the_peer_goes_on(run, limits):
    async def scenario(client, room):
        client.say(b"x" * 50_000)
        await room.lost.wait()

    parted(run, scenario, **limits)


@pytest.fixture(scope="module")
def contexts():
    made = make_certificate(("localhost", "127.0.0.1"), now=1_700_000_000)
    client = ssl.create_default_context()
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return server_context(made.certificate, made.key), client


def test_tls_is_spoken_where_it_was_asked_for(run, contexts):
    server, client_context = contexts

    async def scenario():
        async with listening(tls=server, kind="exposed") as place:
            client = place.keep(*await asyncio.open_connection("127.0.0.1", place.listener.port, ssl=client_context))
            for _ in range(3):
                facts = (await client.get("/facts")).json
                assert (facts["tls"], facts["kind"], facts["scheme"]) == (True, "exposed", "https")
                assert facts["same_user"] is True
            refusal = await client.get("/", "Host: evil.example")
            assert refusal.code == "net.malformed_request"

    run(scenario())


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("broken", ["peer_facts", "admit"])
def test_a_fault_of_ours_at_the_door_lets_the_client_go_and_is_logged(run, contexts, caplog, secured, broken):
    def breaks(_):
        raise ZeroDivisionError("a fault of ours")

    async def scenario():
        async with listening(tls=contexts[0] if secured else None) as place:
            house = place.listener._house
            house._premises = replace(house._premises, **{broken: breaks})
            assert await (await place.dial()).is_closed()
            assert len(house._premises.gate) == 0

    run(scenario())
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
def test_a_fault_of_ours_after_the_door_lets_the_client_go_too(run, contexts, caplog, secured):
    server, client_context = contexts if secured else (None, None)

    class Broken(asyncio.Protocol):
        def connection_made(self, transport):
            raise ZeroDivisionError("a fault of ours")

    async def scenario():
        async with listening(tls=server) as place:
            house = place.listener._house
            house._premises = replace(house._premises, admit=lambda _: Broken())
            where = "127.0.0.1", place.listener.port
            assert await place.keep(*await asyncio.open_connection(*where, ssl=client_context)).is_closed()
            await place.until_empty()

    run(scenario())
    assert "a fault of ours" in caplog.text


def test_plain_http_on_a_tls_port_gets_nothing(run, contexts):
    async def scenario():
        async with listening(tls=contexts[0]) as place:
            client = await place.dial()
            client.say(get())
            assert b"HTTP" not in await client.rest()
            await place.until_empty()

    run(scenario())


def test_A15_a_tls_greeting_that_does_not_come_frees_its_place(run, contexts):
    async def scenario():
        async with listening(tls=contexts[0], handshake_seconds=SOON, connections=3) as place:
            silent = [await place.dial() for _ in range(3)]
            over = await place.dial()
            assert await over.is_closed()
            for client in silent:
                assert await client.is_closed()
            await place.until_empty()

    run(scenario())


def test_a_client_that_leaves_during_its_tls_greeting_frees_its_place(run, contexts):
    async def scenario():
        async with listening(tls=contexts[0]) as place:
            client = await place.dial()
            await until(lambda: len(place.listener._house._premises.gate))
            client.reset()
            await place.until_empty()

    run(scenario())


def test_a_listener_that_ends_during_a_tls_greeting_frees_its_place(run, contexts):
    async def scenario():
        async with listening(tls=contexts[0]) as place:
            client = await place.dial()
            await until(lambda: len(place.listener._house._premises.gate))
            await place.listener.drain(0)
            assert await client.is_closed()

    run(scenario())


def test_a_request_sent_together_with_the_end_of_the_greeting_is_not_lost(run, contexts):
    """A blocking client in a thread: its last handshake message and its request leave in one breath."""
    server, client_context = contexts

    def ask(port):
        with socket.create_connection(("127.0.0.1", port)) as plain, client_context.wrap_socket(plain) as secured:
            secured.sendall(get("/facts", "Connection: close"))
            heard = b""
            while piece := secured.recv(4096):
                heard += piece
            return heard

    async def scenario():
        async with listening(tls=server) as place:
            for _ in range(10):
                assert b'"https"' in await asyncio.to_thread(ask, place.listener.port)

    run(scenario())
