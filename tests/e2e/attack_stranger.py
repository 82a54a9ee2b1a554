"""Runs as another user of the machine: does what it is told on stdin, line by line, and answers in JSON.

Started as root so that it can read its own code; whatever it then tries, it tries as the stranger.
"""

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.e2e.attack_wire import Answer, Caller, Place
from thorp.net.addresses import own_address

ROOT = Path(__file__).parents[2]
NOBODY = 65_534
WAYS = ("plain", "device", "source")
SOMEBODY = 12_345


class Stranger:
    """The test's side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def _do(self, **what: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(what), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def ask(self, place: Place, requests: list[tuple[str, str, list[tuple[str, str]], bytes | None]]) -> list[Answer]:
        """Send requests; a refused connection is an error of the test."""
        sent = [
            (method, path, headers, None if body is None else body.decode()) for method, path, headers, body in requests
        ]
        where = asdict(place) | {"path": str(place.path) if place.path else None}
        answers = self._do(what="ask", place=where, requests=sent)
        return [
            Answer(one["status"], tuple(map(tuple, one["headers"])), base64.b64decode(one["body"])) for one in answers
        ]

    def crowd(self, place: Place, count: int, way: str = "plain") -> None:
        """Open so many connections, say nothing, and keep them until the block ends."""
        self._do(what="crowd", port=place.port, count=count, way=way)

    def say(self, place: Place, data: bytes, way: str = "plain", *, shut: bool = False) -> None:
        """Connect in a way of `WAYS` and send this; `shut` ends one's own half at once."""
        self._do(what="say", port=place.port, data=data.decode(), way=way, shut=shut)

    def listen(self, host: str, port: int) -> str:
        """What becomes of listening there: the name of the error, or nothing, and it is held until the block ends."""
        return self._do(what="listen", host=host, port=port)

    def hear(self) -> bytes:
        """What came back on the last connection, until its end."""
        return self._do(what="hear").encode()

    def connect(self, path: Path) -> str:
        """What becomes of connecting to a Unix socket: the name of the error, or nothing."""
        return self._do(what="connect", path=str(path))

    def read(self, path: Path) -> str:
        """What becomes of reading a file or listing a folder: the name of the error, or nothing."""
        return self._do(what="read", path=str(path))

    def text(self, path: Path) -> str:
        return self._do(what="text", path=str(path))


@contextmanager
def stranger(uid: int = SOMEBODY) -> Generator[Stranger]:
    """Another user of this machine, for the length of a block."""
    assert os.geteuid() == 0, "these tests need root to become a second user"
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.attack_stranger", str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Stranger(process)
        assert process.stdin
        process.stdin.close()


# The stranger's side.


def told(answer: Answer) -> dict[str, Any]:
    return asdict(answer) | {"body": base64.b64encode(answer.body).decode()}


def ask(place: dict[str, Any], requests: list[Any]) -> list[dict[str, Any]]:
    there = Place(**place | {"path": Path(place["path"]) if place["path"] else None})
    with Caller(there) as caller:
        return [
            told(caller.ask(method, path, [(name, value) for name, value in headers], body and body.encode()))
            for method, path, headers, body in requests
        ]


def dialled(port: int, way: str) -> socket.socket:
    """A connection that the kernel may find harder to tell about."""
    made = socket.socket()
    if way == "device":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    elif way == "source":
        made.bind((own_address() or "127.0.0.2", 0))
    made.connect(("127.0.0.1", port))
    return made


def crowd(port: int, count: int, way: str) -> int:
    HELD.extend(dialled(port, way) for _ in range(count))
    return len(HELD)


def listen(host: str, port: int) -> str:
    try:
        HELD.append(socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET))
    except OSError as error:
        return type(error).__name__
    return ""


def say(port: int, data: str, way: str, *, shut: bool) -> int:
    HELD.append(dialled(port, way))
    HELD[-1].sendall(data.encode())
    if shut:
        HELD[-1].shutdown(socket.SHUT_WR)
    return len(HELD)


def hear() -> str:
    return b"".join(iter(lambda: HELD[-1].recv(65_536), b"")).decode()


def connect(path: str) -> str:
    try:
        Place(path=Path(path)).dial().close()
    except OSError as error:
        return type(error).__name__
    return ""


def read(path: str) -> str:
    try:
        list(Path(path).iterdir()) if Path(path).is_dir() else Path(path).read_bytes()
    except OSError as error:
        return type(error).__name__
    return ""


def text(path: str) -> str:
    return Path(path).read_text(errors="replace")


HELD: list[socket.socket] = []
DEEDS = {
    "ask": ask,
    "crowd": crowd,
    "say": say,
    "listen": listen,
    "hear": hear,
    "connect": connect,
    "read": read,
    "text": text,
}


def main(uid: int) -> None:
    Place().host.encode("idna")  # loads what every connection needs; afterwards it may be out of reach
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(DEEDS[wanted.pop("what")](**wanted)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
