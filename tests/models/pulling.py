"""A home in a folder of a test, with everything that a pull from the fake hub takes."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

import thorp
from thorp.base.clock import SystemClock, SystemRandomness
from thorp.machine.snapshot import MachineSnapshot
from thorp.models.fetching import Pace
from thorp.models.layout import OWN, digest_of
from thorp.models.library import Library
from thorp.models.links import DISK_LINKS, Links
from thorp.models.offered import NO_NEIGHBOURS
from thorp.models.plan import PullPlan
from thorp.models.ports import ByteSource, Neighbours
from thorp.models.pull import Puller, Standing
from thorp.models.receipts import Receipt
from thorp.models.records import ENDED, Record, RecordBook
from thorp.models.repair import Repaired, Repairer
from thorp.models.resolve import Ask, Meaning, Resolver
from thorp.models.settings import TransferSettings
from thorp.models.sources.hub import HubSource
from thorp.models.stages import Reached, unwatched
from thorp.models.stores import Stores
from thorp.models.transfers import Tools, Transfers
from thorp.net.egress import Guard
from thorp.net.outward import Outward
from thorp.testing.gguf import tiny_gguf
from thorp.testing.library import a_library

MIB = 1024 * 1024
REPO = "org/Tiny-1B-GGUF"
FILE = "Tiny-1B-Q4_K_M.gguf"
QUICK = Pace(pauses=(0.01,) * 6)


@dataclass(frozen=True)
class Home:
    """One process's view of a home; another one on the same folder is another process's."""

    top: Path
    hub: HubSource
    library: Library
    reached: Reached = unwatched
    sources: tuple[ByteSource, ...] = ()  # without any: the hub
    neighbours: Neighbours = NO_NEIGHBOURS
    told: list[Standing] = field(default_factory=list[Standing])

    @property
    def stores(self) -> Stores:
        return Stores(self.library.layout.stores)

    @property
    def puller(self) -> Puller:
        sources = self.sources or (self.hub,)
        return Puller(
            self.library,
            self.stores,
            lambda: sources,
            SystemClock(),
            SystemRandomness(),
            self.reached,
            self.neighbours,
        )

    @property
    def resolver(self) -> Resolver:
        machine = MachineSnapshot(1 << 34, 1 << 34, 0.0)
        return Resolver(self.library, self.stores, self.hub, lambda: machine, self.neighbours)

    def meaning(self, ref: str, **asked: Any) -> Meaning:
        return self.resolver.meaning(Ask(ref, **asked))

    def plan(self, ref: str = REPO, **asked: Any) -> PullPlan:
        plan = self.meaning(ref, **asked).plan()
        assert plan is not None
        return plan

    def pull(self, plan: PullPlan | None = None, *, pace: Pace = QUICK, stop: threading.Event | None = None) -> Receipt:
        return self.puller.pull(plan or self.plan(), pace, self.told.append, stop or threading.Event())

    def repair(self, receipt: Receipt, *, pace: Pace = QUICK, stop: threading.Event | None = None) -> Repaired:
        repairer = Repairer(self.puller, self.hub)
        return repairer.repair(receipt, pace, lambda *_: None, stop or threading.Event())

    def transfer(self, plan: PullPlan | None = None) -> Record:
        """The same as a transfer, as a node or a command line has it; the record at its end."""
        return asyncio.run(self._transferred(plan or self.plan()))

    async def _transferred(self, plan: PullPlan) -> Record:
        tools = Tools(
            puller=self.puller,
            book=RecordBook(self.library.layout.transfers),
            clock=SystemClock(),
            randomness=SystemRandomness(),
            settings=TransferSettings,
            told=lambda record, *, here: None,
            finished=lambda receipt: None,
        )
        transfers = Transfers(tools)
        await transfers.open()
        try:
            record = await transfers.start(plan)
            while record.state not in ENDED:
                await asyncio.sleep(0.02)
                record = transfers.row(record.id)
            return record
        finally:
            await transfers.close()

    def blob(self, name: str, repo: str = REPO) -> Path:
        return self.library.layout.blob(repo, digest_of(name))

    def blobs(self, repo: str = REPO) -> list[str]:
        folder = self.library.layout.blobs(repo)
        return sorted(one.name for one in folder.iterdir()) if folder.exists() else []

    def own(self, repo: str = REPO) -> list[str]:
        """What lies in Thorp's own corner of a repository, which is nothing once a pull is over."""
        corner = self.library.layout.repo(repo) / OWN
        return sorted(str(one.relative_to(corner)) for one in corner.rglob("*"))

    def drafts(self) -> list[str]:
        """Files that whoever wrote them has not finished."""
        return sorted(one.name for one in self.top.rglob(".*") if one.name not in (".locks", ".thorp-store"))

    def seen_by_hf(self, repo: str = REPO, file: str = FILE) -> Path:
        """Where huggingface_hub finds a file without a network."""
        return Path(hf_hub_download(repo, file, cache_dir=self.library.layout.hub, local_files_only=True))

    def fetched_by_hf(self, repo: str = REPO, file: str = FILE) -> Path:
        """Let huggingface_hub fetch a file in a process of its own, and say where its bytes lie."""
        program = "import sys; from huggingface_hub import hf_hub_download as get; print(get(*sys.argv[1:3], "
        program += "cache_dir=sys.argv[3], endpoint=sys.argv[4]))"
        command = [sys.executable, "-c", program, repo, file, str(self.library.layout.hub), self.hub.endpoint]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return Path(ran.stdout.strip()).resolve()


@contextmanager
def a_home(
    top: Path,
    url: str,
    *,
    links: Links = DISK_LINKS,
    idle_timeout: float = 10.0,
    token: str | None = None,
    reached: Reached = unwatched,
    sources: Callable[[HubSource], tuple[ByteSource, ...]] | None = None,
    neighbours: Neighbours = NO_NEIGHBOURS,
) -> Generator[Home]:
    outward = Outward(Guard(lambda: (url,)), idle_timeout=idle_timeout)
    hub = HubSource(url, lambda: token, outward)
    try:
        yield Home(top, hub, a_library(top, links), reached, sources(hub) if sources else (), neighbours)
    finally:
        outward.close()


def pull_once(*arguments: str) -> "subprocess.Popen[str]":
    """The program of this name, which pulls in processes of its own."""
    program = Path(__file__).with_name("pull_once.py")
    environment = os.environ | {"PYTHONPATH": f"{Path(thorp.__file__).parents[1]}:{program.parents[2]}"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, str(program), *arguments], env=environment, stdout=pipe, stderr=pipe, text=True
    )


def a_model(folder: Path, size: int = 20 * MIB, *, seed: int = 0, name: str = FILE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return tiny_gguf(folder / name, pad_to=size, seed=seed)[0]
