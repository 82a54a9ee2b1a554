import asyncio
import errno
import os
import socket
import stat
import threading
from contextlib import asynccontextmanager, closing

import pytest

from tests.net.conftest import Client, TinyApp, get, listening
from thorp.net.facts import ListenerFacts
from thorp.net.listen import (
    NoSuchAddressError,
    PortForbiddenError,
    PortTakenError,
    SocketTakenError,
    TcpListener,
    UnixListener,
    UnsafeFolderError,
    why_not_bound,
)

LOCAL = ListenerFacts("local")


@asynccontextmanager
async def socket_at(path, app=None):
    app = app or TinyApp()
    listener = UnixListener(path, app)
    await listener.start()
    try:
        yield listener
    finally:
        listener.stop_accepting()
        await listener.drain(0)


async def ask(path, target="/"):
    client = Client(*await asyncio.open_unix_connection(str(path)))
    try:
        return await client.get(target)
    finally:
        client.reset()


# TCP


def test_a_free_port_is_found_and_told(run):
    async def scenario():
        async with listening() as place:
            assert place.listener.port > 0
            assert place.listener.facts.bound == (("127.0.0.1", place.listener.port),)

    run(scenario())


def test_ipv6_is_listened_on(run):
    async def scenario():
        async with listening(host="::1") as place:
            client = place.keep(*await asyncio.open_connection("::1", place.listener.port))
            facts = (await client.get("/facts")).json
            assert facts["same_user"] is True
            assert facts["server"] == ["::1", place.listener.port]

    run(scenario())


def test_a_taken_port_names_its_holder_and_the_remedy(run):
    async def scenario():
        async with listening() as place:
            port = place.listener.port
            again = TcpListener(LOCAL, "127.0.0.1", port, TinyApp())
            with pytest.raises(PortTakenError) as caught:
                await again.start()
            message = caught.value.message
            assert f"Port {port} " in message
            assert f"(pid {os.getpid()})" in message
            assert "`thorp up --port " in message
            assert "`thorp config set local.port " in message
            assert (await (await place.dial()).get()).status == 200
            await again.drain(0)

    run(scenario())


def test_one_port_is_held_on_every_address_that_is_wanted(run):
    async def scenario():
        hosts = "127.0.0.1", "::1"
        async with listening(host=hosts[0], beside=hosts[1:]) as place:
            port = place.listener.port
            assert place.listener.facts.bound == tuple((host, port) for host in hosts)
            for host in hosts:
                place.keep(*await asyncio.open_connection(host, port))
        for host in hosts:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, port)

    run(scenario())


def test_a_port_that_somebody_holds_on_one_of_the_addresses_is_taken_and_the_other_is_given_back(run):
    async def scenario():
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortTakenError, match="on ::1 is taken"):
                await TcpListener(LOCAL, "127.0.0.1", port, TinyApp(), beside=("::1",)).start()
            socket.create_server(("127.0.0.1", port)).close()

    run(scenario())


def test_an_address_beside_that_this_machine_does_not_have_is_left_out(run):
    async def scenario():
        async with listening(beside=("2001:db8::77",)) as place:
            assert place.listener.facts.bound == (("127.0.0.1", place.listener.port),)

    run(scenario())


def test_who_holds_a_port_is_looked_up_beside_the_loop(run, monkeypatch):
    asked = []
    monkeypatch.setattr("thorp.net.listen.holder_of", lambda _port: asked.append(threading.current_thread()))

    async def scenario():
        async with listening() as place:
            with pytest.raises(PortTakenError):
                await TcpListener(LOCAL, "127.0.0.1", place.listener.port, TinyApp()).start()
        assert threading.current_thread() not in asked

    run(scenario())
    assert asked


def test_another_listener_names_its_own_setting(run):
    async def scenario():
        async with listening() as place:
            taken = TcpListener(
                ListenerFacts("exposed"), "127.0.0.1", place.listener.port, TinyApp(), setting="local.expose_port"
            )
            with pytest.raises(PortTakenError, match=r"`thorp config set local\.expose_port ") as caught:
                await taken.start()
            assert "thorp up" not in caught.value.message

    run(scenario())


@pytest.mark.parametrize("host", ["192.0.2.77", "2001:db8::77", "no.such.name.invalid", "127.0.0.1.5"])
def test_an_address_that_is_not_ours_is_refused(run, host):
    async def scenario():
        with pytest.raises(NoSuchAddressError, match=host):
            await TcpListener(LOCAL, host, 0, TinyApp()).start()

    run(scenario())


def test_a_port_of_the_system_says_what_to_do():
    error = why_not_bound(PermissionError(13, "Permission denied"), "127.0.0.1", 80, "local.port")
    assert isinstance(error, PortForbiddenError)
    assert "1024" in error.message


def test_the_reason_is_the_systems_alone_without_the_address_once_more():
    number = errno.EADDRNOTAVAIL
    doubled = OSError(number, "error while attempting to bind on address ('8.8.8.8', 8738): cannot assign it")
    error = why_not_bound(doubled, "8.8.8.8", 8738, "local.expose_port")
    assert error.message == f"This machine cannot listen on 8.8.8.8:8738: {os.strerror(number)}. Check the address."
    unknown = why_not_bound(socket.gaierror(-2, "Name or service not known"), "barn", 1, "local.expose_port")
    assert unknown.message == "This machine cannot listen on barn:1: Name or service not known. Check the address."


def test_stopping_refuses_new_connections_and_ends_idle_ones_at_once(run):
    async def scenario():
        async with listening() as place:
            idle, fresh = await place.dial(), await place.dial()
            await idle.get()
            place.listener.stop_accepting()
            with pytest.raises(ConnectionRefusedError):
                await place.dial()
            await place.listener.drain(3600)
            assert await idle.is_closed()
            assert await fresh.is_closed()

    run(scenario())


def test_draining_lets_a_running_request_finish_and_then_closes(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial()
            client.say(get("/hold"))
            await place.app.begun.wait()
            place.listener.stop_accepting()
            draining = asyncio.ensure_future(place.listener.drain(3600))
            await asyncio.sleep(0)
            place.app.finish.set()
            heard = await client.hear()
            assert (heard.json, heard["connection"]) == ("held", "close")
            assert await client.is_closed()
            await draining

    run(scenario())


def test_draining_cancels_what_does_not_finish_and_says_so(run):
    async def scenario():
        async with listening() as place:
            holding, pouring = await place.dial(), await place.dial()
            holding.say(get("/hold") + get("/next"))
            await place.app.begun.wait()
            place.app.begun.clear()
            pouring.say(get("/wait"))
            await place.app.begun.wait()
            place.listener.stop_accepting()
            await place.listener.drain(0.01)
            heard = await holding.hear()
            assert (heard.status, heard.code, heard["retry-after"]) == (503, "net.stopping", "1")
            assert b"0\r\n\r\n" not in await pouring.rest()
            assert "next" not in place.app.calls

    run(scenario())


def test_draining_cuts_a_client_that_never_reads(run):
    async def scenario():
        async with listening() as place:
            client = await place.dial_and_never_read()
            client.say(get("/pour"))
            await place.app.begun.wait()
            place.listener.stop_accepting()
            await place.listener.drain(0.01)
            assert place.app.cancelled.is_set()

    run(scenario())


def test_draining_does_not_wait_for_those_who_were_turned_away(run):
    async def scenario():
        async with listening(connections=1, linger_seconds=3600) as place:
            inside, outside = await place.dial(), await place.dial()
            assert (await outside.hear()).status == 503
            await inside.get()
            place.listener.stop_accepting()
            await place.listener.drain(3600)

    run(scenario())


def test_a_listener_that_never_started_can_be_stopped():
    async def scenario():
        listener = TcpListener(LOCAL, "127.0.0.1", 0, TinyApp())
        listener.stop_accepting()
        await listener.drain(0)

    asyncio.run(scenario())


# Unix


def test_the_socket_is_for_its_user_alone(run, tmp_path):
    path = tmp_path / "run" / "api.sock"

    async def scenario():
        async with socket_at(path) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert listener.facts.kind == "socket"
            facts = (await ask(path, "/facts")).json
            assert facts == {
                "kind": "socket",
                "tls": False,
                "bound": [],
                "same_user": True,
                "scheme": "http",
                "server": [str(path), None],
            }
        assert not path.exists()

    run(scenario())


def test_a_stale_socket_is_replaced(run, tmp_path):
    tmp_path.chmod(0o700)
    path = tmp_path / "api.sock"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))

    async def scenario():
        async with socket_at(path):
            assert (await ask(path)).status == 200

    run(scenario())


def test_a_socket_somebody_answers_on_is_left_alone(run, tmp_path):
    tmp_path.chmod(0o700)
    path = tmp_path / "api.sock"

    async def scenario():
        async with socket_at(path):
            with pytest.raises(SocketTakenError, match="`thorp down`"):
                await UnixListener(path, TinyApp()).start()
            assert (await ask(path)).status == 200

    run(scenario())


def test_a_full_backlog_is_an_answer_too(run, tmp_path):
    tmp_path.chmod(0o700)
    path = tmp_path / "api.sock"

    async def scenario():
        with closing(socket.socket(socket.AF_UNIX)) as busy, closing(socket.socket(socket.AF_UNIX)) as first:
            busy.bind(str(path))
            busy.listen(0)
            first.connect(str(path))
            with pytest.raises(SocketTakenError):
                await UnixListener(path, TinyApp()).start()
            assert path.is_socket()

    run(scenario())


@pytest.mark.parametrize("make", ["write_text", "mkdir", "symlink_to"])
def test_anything_else_at_that_path_is_left_alone(run, tmp_path, make):
    tmp_path.chmod(0o700)
    path = tmp_path / "api.sock"
    getattr(path, make)(*{"write_text": ["mine"], "mkdir": [], "symlink_to": [tmp_path / "nowhere"]}[make])

    async def scenario():
        with pytest.raises(SocketTakenError, match="no socket"):
            await UnixListener(path, TinyApp()).start()
        assert path.is_symlink() or path.exists()

    run(scenario())


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o777])
def test_a_folder_that_others_can_enter_is_refused(run, tmp_path, mode):
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(mode)

    async def scenario():
        with pytest.raises(UnsafeFolderError, match="chmod 700"):
            await UnixListener(folder / "api.sock", TinyApp()).start()

    run(scenario())


def test_a_folder_of_somebody_else_is_refused(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)

    async def scenario():
        with pytest.raises(UnsafeFolderError):
            await UnixListener(folder / "api.sock", TinyApp()).start()

    run(scenario())


def test_a_file_in_place_of_the_folder_is_refused(run, tmp_path):
    (tmp_path / "run").touch(mode=0o600)

    async def scenario():
        with pytest.raises(UnsafeFolderError):
            await UnixListener(tmp_path / "run" / "api.sock", TinyApp()).start()

    run(scenario())


def test_a_folder_behind_a_link_is_refused(run, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "real")

    async def scenario():
        with pytest.raises(UnsafeFolderError):
            await UnixListener(tmp_path / "run" / "api.sock", TinyApp()).start()

    run(scenario())


def test_a_socket_that_is_no_longer_ours_is_not_removed(run, tmp_path):
    tmp_path.chmod(0o700)
    path = tmp_path / "api.sock"

    async def scenario():
        async with socket_at(path):
            path.rename(tmp_path / "moved")
            path.write_text("another's")
        assert path.read_text() == "another's"

    run(scenario())
