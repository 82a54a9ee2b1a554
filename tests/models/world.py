"""The models feature on real parts: a home in a folder of the test, and a fake hub."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from thorp.app.environment import Environment, HubVariables
from thorp.app.models import Ground, Models, build_models
from thorp.app.paths import Paths, make_folders, paths_of
from thorp.app.settings import Settings
from thorp.app.shelf import library_of
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.bus.dispatch import Bus, Order
from thorp.identity.principals import Principal, owner
from thorp.models.library import Library
from thorp.models.offered import NO_NEIGHBOURS
from thorp.models.ports import Neighbours
from thorp.models.settings import TransferSettings
from thorp.testing.gguf import tiny_gguf
from thorp.testing.hub import FakeHub
from thorp.testing.hub.faults import Fault, FaultKind
from thorp.testing.process import PATIENCE
from thorp.wire.changes import Change, LibraryChanged, TransferChanged

REPO: Final = "org/Tiny-1B-GGUF"
SMALL: Final = "Tiny-1B-Q4_K_M.gguf"
LARGE: Final = "Tiny-1B-Q8_0.gguf"
MIB: Final = 1024 * 1024


def tiny(top: Path, name: str, size: int, seed: int = 0) -> Path:
    return tiny_gguf(top / name, pad_to=size, seed=seed)[0]


def stocked(hub: FakeHub, top: Path, **about: Any) -> str:
    """One repository with two quants; answers with its commit."""
    files = {SMALL: tiny(top, SMALL, MIB // 2), LARGE: tiny(top, LARGE, 5 * MIB, seed=1), "README.md": b"# Tiny"}
    return hub.add(REPO, files, **{"license": "mit", "downloads": 7, **about})


def stall(hub: FakeHub, path: str = LARGE, after: int = 3 * MIB) -> None:
    """The next one to fetch this file gets so many bytes of it, and then no more."""
    hub.faults.add(Fault(FaultKind.STALL, path=path, after=after))


@dataclass
class World:
    paths: Paths
    variables: HubVariables
    settings: Settings = field(default_factory=Settings)
    neighbours: Neighbours = NO_NEIGHBOURS
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_folders(self.paths)
        self.models: Models = build_models(
            Ground(
                paths=self.paths,
                hub=self.variables,
                settings=lambda: self.settings,
                clock=SystemClock(),
                randomness=SystemRandomness(),
                announce=self.changes.append,
                keep_limit=self.keep_limit,
                neighbours=self.neighbours,
            )
        )
        self.bus = Bus(SystemClock(), self.changes.append)
        self.transfers = self.models.transfers

    async def keep_limit(self, rate: int) -> None:
        self.settings = replace(self.settings, transfers=replace(self.settings.transfers, limit=rate))

    @property
    def library(self) -> Library:
        return library_of(self.paths, self.paths.root / "hub")[0]

    @property
    def partials(self) -> list[Path]:
        return sorted((self.paths.root / "hub").glob("models--*/.thorp/partial/*"))

    async def ask(self, name: str, who: Principal | None = None, /, **given: Any) -> dict[str, Any]:
        answer = await self.bus.call(Order(name, who or owner(), given))
        return answer.model_dump(mode="json")

    async def row(self, transfer: str) -> dict[str, Any]:
        return await self.ask("transfer.show", id=transfer)

    async def until(self, transfer: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first row of a transfer that fulfils a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition(row := await self.row(transfer)):
                await asyncio.sleep(0.01)
        return row

    async def ended(self, transfer: str) -> dict[str, Any]:
        return await self.until(transfer, lambda row: row["state"] in ("done", "failed", "cancelled"))

    async def pulled(self, ref: str, **given: Any) -> dict[str, Any]:
        """A model, all of it in the library."""
        begun = await self.ask("model.pull", ref=ref, **given)
        row = await self.ended(begun["transfer_id"])
        assert row["state"] == "done", row["error"]
        return row

    async def stalled(self, ref: str = f"{REPO}:q8_0", **given: Any) -> str:
        """A transfer that has got some of its bytes and waits for more."""
        begun = await self.ask("model.pull", ref=ref, **given)
        await self.until(begun["transfer_id"], lambda row: row["done"] >= 2 * MIB)
        return begun["transfer_id"]

    def told(self) -> list[TransferChanged]:
        return [one for one in self.changes if isinstance(one, TransferChanged)]

    def library_told(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(one.what, one.model_ids) for one in self.changes if isinstance(one, LibraryChanged)]


@asynccontextmanager
async def opened(
    top: Path, hub: FakeHub, *, neighbours: Neighbours = NO_NEIGHBOURS, **transfers: Any
) -> AsyncGenerator[World]:
    """A world in the home of this folder; again the same home when there is one."""
    paths = paths_of(Environment(home=top / "home"))
    settings = Settings(transfers=TransferSettings(**transfers))
    world = World(paths, HubVariables(endpoint=hub.url), settings, neighbours)
    await world.transfers.open()
    for offer in world.models.offers:
        await world.bus.register(offer)
    try:
        yield world
    finally:
        await world.transfers.close()
        await asyncio.to_thread(world.models.close)
