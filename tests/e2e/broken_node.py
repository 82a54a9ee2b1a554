"""A real node with one more capability, whose self-test fails. A program of its own: `broken_node.py HOME`.

It is put together from the parts of `thorp.app.build`, because the product has no way to add a broken one.
"""

import asyncio
import os
import sys
from pathlib import Path

from thorp.app.build import Outside, Tools, build_access, build_centre, build_doors, build_feature, build_gate
from thorp.app.config import ConfigFile, evaluate, sources_of
from thorp.app.environment import Environment
from thorp.app.keeper import ConfigKeeper
from thorp.app.listeners import Listeners
from thorp.app.lock import HomeLock
from thorp.app.logs import logging_to
from thorp.app.paths import make_folders, paths_of
from thorp.app.ready import Ready, ready_line
from thorp.app.run import live, run_files
from thorp.app.services import CapabilityService, StoreService
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.base.errors import ConflictError
from thorp.base.files import DISK
from thorp.node.capabilities import offers as node_offers
from thorp.node.types import Busy
from thorp.web.root import web_app
from thorp.wire.capability import Call, Capability, Nothing, Offer

BROKEN = Capability("tea.brew", "1.0", "Brews tea.", request=Nothing, answer=Nothing)


class NoKettleError(ConflictError):
    """What the self-test finds."""


async def look_for_a_kettle() -> None:
    raise NoKettleError("there is no kettle")


async def brew(_call: Call[Nothing]) -> Nothing:
    return Nothing()


def main() -> None:
    environment = Environment(home=Path(sys.argv[1]))
    paths, clock = paths_of(environment), SystemClock()
    make_folders(paths)
    file = ConfigFile(paths.config_file, DISK)
    sources = sources_of(file, environment, {"local.port": "0"})
    effective = evaluate(sources)
    with (
        HomeLock(paths.lock, paths.root, clock) as lock,
        logging_to(paths.logs, effective.settings.logs, sys.stderr, colours=False) as logs,
        run_files(paths),
    ):
        tools = Tools(paths, clock, SystemRandomness(), logs)
        keeper = ConfigKeeper(file, sources, effective)
        centre, access = build_centre(tools), build_access(tools)
        feature = build_feature(
            tools, centre, access, keeper, Outside(lambda: (*listeners.rows(),), lambda: Busy(0, 0))
        )
        gate = build_gate(tools, access, web_app(build_doors(tools, centre, access, feature)), keeper)
        listeners = Listeners(paths, effective.settings.local, lambda: (), gate)
        offers = (*node_offers(feature), Offer(BROKEN, unary=brew, self_test=look_for_a_kettle))
        services = (
            StoreService(access.database, access.shelves),
            CapabilityService(centre.bus, lambda: offers),
            *listeners.services(),
        )

        def ready() -> Ready:
            return Ready(listeners.address, None, centre.key.node_id, feature.name, os.getpid())

        def tell(told: Ready) -> None:
            lock.announce(run=paths.run, address=told.address)
            sys.stdout.buffer.write(ready_line(told))
            sys.stdout.buffer.flush()

        centre.node.consist_of(services, ready, listeners.stop_accepting)
        sys.exit(asyncio.run(live(centre.node, tell)))


if __name__ == "__main__":
    main()
