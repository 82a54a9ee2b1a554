"""What a change costs the node for each of many listeners that are told of it.

`python tests/bench/bench_sse.py [changes]`: CPU time of the node; the cost of making the changes themselves is measured
with nobody listening and taken off. Nothing is asserted.
"""

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator

from measured_node import Measured, node_of_its_own

CHANGES = 200
LISTENERS = 50
MARK = b'"kind":"config.changed"'


class Listener:
    """Reads a stream and counts, in a thread of its own; as little work as a client can do."""

    def __init__(self, node: Measured) -> None:
        self._wire = socket.create_connection(("127.0.0.1", node.port))
        lines = ["GET /api/v1/stream HTTP/1.1", "Host: localhost", f"Authorization: {node.owner['Authorization']}"]
        self._wire.sendall("\r\n".join([*lines, "", ""]).encode())
        self.heard = 0
        self._tail = b""
        self._wire.recv(65_536)  # the head, and with it the place in the node's list
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := self._wire.recv(65_536):
            whole = self._tail + data
            self.heard += whole.count(MARK)
            self._tail = whole[whole.rfind(MARK) + len(MARK) :] if MARK in whole else whole[-len(MARK) :]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._wire.close()


@contextlib.contextmanager
def listening(node: Measured, count: int) -> Generator[list[Listener]]:
    listeners = [Listener(node) for _ in range(count)]
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def changes(node: Measured, count: int) -> Iterator[None]:
    """So many changes of one live setting, one after the other."""
    connection = node.connection()
    for number in range(count):
        body = json.dumps({"value": f"n{number % 2}"})
        connection.request("PUT", "/api/v1/config/node.name", body, node.owner)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"a setting could not be changed: {response.status}")
        yield
    connection.close()


def cpu_of(node: Measured, count: int, listeners: int) -> float:
    """CPU seconds of the node for so many changes, told to so many."""
    with listening(node, listeners) as all_of_them:
        before = node.cpu()
        for _ in changes(node, count):
            pass
        while any(one.heard < count for one in all_of_them):
            time.sleep(0.01)  # until the last has heard the last
        return node.cpu() - before


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES
    with node_of_its_own() as node:
        cpu_of(node, count, 0)  # warms up
        alone, many = (min(cpu_of(node, count, told) for _ in range(3)) for told in (0, LISTENERS))
    each = (many - alone) / count / LISTENERS
    result = {
        "change_us": 1e6 * alone / count,
        f"each_of_{LISTENERS}_us": 1e6 * each,
        "ratio": each / (alone / count),
    }
    for name, value in result.items():
        print(f"{name:<20} {value:9.3f}")
    print(f"telling one of {LISTENERS} costs {result['ratio']:.3f} times what the change itself costs")
    print(json.dumps({"bench": "sse", **{name: round(value, 3) for name, value in result.items()}}))


if __name__ == "__main__":
    main()
