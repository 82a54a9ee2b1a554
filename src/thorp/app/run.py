"""The life of the node process: take the home, build, start, wait for the end, stop in order, let go of the home."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Final

import uvloop

from thorp.app.build import Tools, Wishes, build
from thorp.app.config import ConfigFile, evaluate, sources_of
from thorp.app.environment import Environment
from thorp.app.home import NEW_IDENTITY, has_lost_its_key
from thorp.app.lock import HomeLock
from thorp.app.logs import logging_to
from thorp.app.node import Node
from thorp.app.paths import Paths, make_folders
from thorp.app.ready import Ready
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.files import DISK, write_atomically

log = logging.getLogger(__name__)
INTERRUPTED: Final = 130
ASKED_BY: Final = {
    signal.SIGINT: "Ctrl-C was pressed (SIGINT)",
    signal.SIGTERM: "the system asked it to end (SIGTERM)",
    signal.SIGHUP: "its terminal was closed (SIGHUP)",
}


def run_node(
    paths: Paths, environment: Environment, flags: Mapping[str, str], on_ready: Callable[[Ready], None]
) -> int:
    """Run this home's node until it is told to stop. Answers with the exit code."""
    make_folders(paths)
    file = ConfigFile(paths.config_file, DISK)
    sources = sources_of(file, environment, flags)
    effective = evaluate(sources)
    clock = SystemClock()
    colours = environment.wants_colour(terminal=sys.stderr.isatty())
    with (
        HomeLock(paths.lock, paths.root, clock, paths.data) as lock,
        logging_to(paths.logs, effective.settings.logs, sys.stderr, colours=colours) as logs,
        run_files(paths),
    ):
        for warning in effective.warnings:
            log.warning("%s", warning)
        if lock.was_stale:
            log.warning("the last node of this home died without stopping; its lock was taken over")
        if has_lost_its_key(paths):
            log.warning("%s", NEW_IDENTITY)
        tools = Tools(paths, clock, SystemRandomness(), logs, environment.hub)
        node = build(tools, Wishes(file, sources, effective))

        def announce(ready: Ready) -> None:
            lock.announce(run=paths.run, address=ready.address)
            log.info("ready at %s", ready.address)
            on_ready(ready)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(live(node, announce))


@contextmanager
def run_files(paths: Paths) -> Generator[None]:
    """The small files of a running node; gone when it is."""
    write_atomically(DISK, paths.pid, f"{os.getpid()}\n".encode())
    try:
        yield
    finally:
        for left in (paths.pid, paths.owner_token):
            left.unlink(missing_ok=True)


async def live(node: Node, on_ready: Callable[[Ready], None]) -> int:
    """Start, tell, wait, stop. A second signal does not wait for order."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def told_to_stop(reason: str) -> None:
        if node.stopping and task is not None:
            task.cancel()
        node.request_stop(reason)

    for number, reason in ASKED_BY.items():
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, told_to_stop, reason)
    try:
        return 0 if await node.run(on_ready) else 1
    except asyncio.CancelledError:
        return INTERRUPTED
