"""A fake hub by hand: `python -m thorp.testing.hub DIR` serves a folder until Ctrl-C."""

import argparse
import json
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from thorp.base.errors import UsageError
from thorp.testing.hub.fake import LOCAL, FakeHub
from thorp.testing.hub.faults import read_fault
from thorp.testing.hub.folder import fill
from thorp.testing.hub.log import Asked


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="python -m thorp.testing.hub", description=__doc__)
    words.add_argument(
        "folder", type=Path, help="holds org/repo/files, and org/repo/hub.json where there is more to say"
    )
    words.add_argument("--port", type=int, default=0, help="of the hub; 0 takes a free one")
    words.add_argument("--cdn-port", type=int, default=0, help="of the CDN")
    words.add_argument("--host", default="127.0.0.1", help="address of the hub")
    words.add_argument("--cdn-host", default=LOCAL, help="address of the CDN; better not the hub's")
    words.add_argument("--log", type=Path, help="write each request into this file, a JSON object per line")
    words.add_argument(
        "--fault", action="append", default=[], help='such as {"kind": "cut", "after": 1000}; repeatable'
    )
    words.add_argument("--json", action="store_true", help="say where it listens as one JSON object")
    return words


class Writer:
    """Writes requests into a file, each when it is over; threads of the hub call it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, asked: Asked) -> None:
        with self._lock:
            self._file.write(json.dumps(asked.as_json()) + "\n")
            self._file.flush()


def ready(hub: FakeHub, repos: list[str], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"hub": hub.url, "cdn": hub.cdn_url, "repos": repos})
    return f"export HF_ENDPOINT={hub.url}"


def main(words: list[str] | None = None) -> int:
    said = parser().parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        hub = FakeHub(port=said.port, cdn_port=said.cdn_port, host=said.host, cdn_host=said.cdn_host)
        if said.log:
            hub.told = Writer(stack.enter_context(said.log.open("a"))).write
        try:
            repos = fill(hub, said.folder)
            hub.faults.add(*(read_fault(text) for text in said.fault))
            stack.enter_context(hub)
        except (UsageError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 2
        with suppress(KeyboardInterrupt):
            sys.stdout.write(ready(hub, repos, as_json=said.json) + "\n")
            sys.stdout.flush()
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
