"""One connection, held at both ends."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thorp.testing.hub.answers import Answer, Framing, Hold
from thorp.testing.hub.content import Part, body_of
from thorp.testing.hub.line import EndedError, Line
from thorp.testing.hub.request import Host


@pytest.fixture(name="ends")
def two_ends() -> Iterator[tuple[Line, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=60)
        line = Line(server.accept()[0])
    line.open()
    with client:
        yield line, client
    line.close()


def uncounted(send: Callable[[], int]) -> int:
    return send()


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def test_requests_follow_each_other(ends: tuple[Line, socket.socket]) -> None:
    line, client = ends
    client.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n")
    first, second = line.read(Host.HUB), line.read(Host.HUB)
    assert (first.target, first.body, second.target) == ("/a", b"abc", "/b")
    client.close()
    with pytest.raises(EndedError):
        line.read(Host.HUB)


@pytest.mark.parametrize(
    "said", [b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 70_000]
)
def test_nonsense_is_refused(ends: tuple[Line, socket.socket], said: bytes) -> None:
    line, client = ends
    client.sendall(said)
    with pytest.raises(ValueError):
        line.read(Host.HUB)


def test_a_large_body_passes_a_slow_reader_and_is_counted(ends: tuple[Line, socket.socket], tmp_path: Path) -> None:
    line, client = ends
    data = bytes(range(251)) * 40_000
    (tmp_path / "big").write_bytes(data)
    counts: list[int] = []

    def counting(send: Callable[[], int]) -> int:
        counts.append(send())
        return counts[-1]

    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(everything(client)))
    reader.start()
    parts = (Part(tmp_path / "big", 5, len(data)), *body_of(data))
    with pytest.raises(EndedError):
        line.answer(Answer(200, body=parts, close=True), counting)
    line.close()
    reader.join()
    assert got[0].partition(b"\r\n\r\n")[2] == data[5:] + data
    assert sum(counts) == 2 * len(data) - 5


def test_a_file_that_became_shorter_ends_the_answer(ends: tuple[Line, socket.socket], tmp_path: Path) -> None:
    line, client = ends
    (tmp_path / "short").write_bytes(b"12345")
    with pytest.raises(EndedError):
        line.answer(Answer(200, body=(Part(tmp_path / "short", 0, 10),)), uncounted)
    line.close()
    assert everything(client).endswith(b"Content-Length: 10\r\n\r\n12345")


def test_chunks_hold_and_pace(ends: tuple[Line, socket.socket]) -> None:
    line, client = ends
    answer = Answer(
        200, body=body_of(b"abcdef"), framing=Framing.CHUNKED, hold=Hold(3, stalls=True, seconds=0.001), rate=5000
    )
    line.answer(answer, uncounted)
    line.close()
    assert everything(client).endswith(b"\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


def test_a_head_alone(ends: tuple[Line, socket.socket]) -> None:
    line, client = ends
    line.answer(Answer(200, body=body_of(b"abc")), uncounted, with_body=False)
    line.close()
    assert everything(client).endswith(b"Content-Length: 3\r\n\r\n")


def test_no_answer_and_a_cut_end_the_line(ends: tuple[Line, socket.socket]) -> None:
    line, client = ends
    for answer in (Answer(0, reset=True), Answer(200, body=body_of(b"abc"), hold=Hold(1, stalls=False), reset=True)):
        with pytest.raises(EndedError) as ended:
            line.answer(answer, uncounted)
        assert ended.value.reset
    line.close(reset=True)
    with pytest.raises(ConnectionResetError):
        everything(client)
