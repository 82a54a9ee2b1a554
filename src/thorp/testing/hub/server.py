"""A listener with a thread for each connection, all of which end with it."""

import errno
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from thorp.testing.hub.line import EndedError, Line

_TRIES: Final = 16  # ports, until one is free for both families
_BACKLOG: Final = 256


def listening(port: int, *, both: bool, host: str = "127.0.0.1") -> list[socket.socket]:
    """Sockets on one port of `host` and, where the machine has it, of ::1; so `localhost` is never somebody else."""
    for _ in range(_TRIES):
        first = socket.create_server((host, port), backlog=_BACKLOG)
        if not both:
            return [first]
        try:
            return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]
            first.close()
            if port:
                raise
    raise OSError(errno.EADDRINUSE, "no port is free for both 127.0.0.1 and ::1")


class Listener:
    """Serves from `start` until `stop`, after which nothing of it is left. `port` is known once it has started."""

    def __init__(
        self, port: int, serve: Callable[[Line], None], *, both: bool = False, host: str = "127.0.0.1"
    ) -> None:
        self.port = port
        self._host = host
        self._both = both
        self._serve = serve
        self._lock = threading.Lock()
        self._lines: dict[socket.socket, threading.Thread] = {}

    def start(self) -> None:
        self._sockets = listening(self.port, both=self._both, host=self._host)
        self.port = self._sockets[0].getsockname()[1]
        self._waking, self._wake = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="fake hub", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        self._wake.send(b"x")
        self._acceptor.join()
        with self._lock:
            lines = dict(self._lines)
            for connection in lines:
                with suppress(OSError):  # gone already
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in lines.values():
            thread.join()
        for one in (*self._sockets, self._waking, self._wake):
            one.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (*self._sockets, self._waking):
                selector.register(one, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._waking:
                        return
                    self._begin(key.fd)

    def _begin(self, number: int) -> None:
        server = next(one for one in self._sockets if one.fileno() == number)
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the client thought better of it
        thread = threading.Thread(target=self._hold, args=(connection,), daemon=True)
        with self._lock:
            self._lines[connection] = thread
        thread.start()

    def _hold(self, connection: socket.socket) -> None:
        line = Line(connection)
        reset = False
        try:
            line.open()
            self._serve(line)
        except EndedError as ended:
            reset = ended.reset
        except OSError:
            pass  # the client is gone
        finally:
            with self._lock:
                del self._lines[connection]
                line.close(reset=reset)
