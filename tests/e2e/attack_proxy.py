"""A reverse proxy as people put one in front of things: it passes requests on and changes only the headers it must."""

import contextlib
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass

from tests.e2e.attack_wire import PATIENCE, Header, Place


@dataclass(frozen=True)
class Style:
    """What a proxy does to a request."""

    version: str = "1.1"
    host: str = ""  # empty: the client's own is kept
    marks: tuple[Header, ...] = ()


def rewritten(request: bytes, style: Style) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    first = first.rpartition("/")[0] + f"/{style.version}"
    if style.host:
        lines = [line for line in lines if not line.lower().startswith("host:")]
        lines.insert(0, f"Host: {style.host}")
    lines += [f"{name}: {value}" for name, value in style.marks]
    return "\r\n".join([first, *lines, "Connection: close", "", ""]).encode("latin-1") + body


def whole(client: socket.socket) -> bytes:
    """One request with its body."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = client.recv(65536)
        if not piece:
            return b""
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def serve(client: socket.socket, target: Place, style: Style) -> None:
    with contextlib.suppress(OSError), client:
        client.settimeout(PATIENCE)
        if request := whole(client):
            with target.dial() as line:
                line.say(rewritten(request, style))
                client.sendall(line.rest())


@contextlib.contextmanager
def proxy(target: Place, style: Style) -> Generator[Place]:
    """A proxy of this very user in front of `target`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server, target, style), daemon=True).start()
        yield Place(port=server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def accept(server: socket.socket, target: Place, style: Style) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client, target, style), daemon=True).start()
