"""A hub with two repositories, and a home that has pulled all of them, to be had anew for each test."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.library_house import PIECE, Home, brought, gguf
from thorp.testing.gguf import projector_gguf
from thorp.testing.hub import FakeHub
from thorp.testing.safetensors import tiny_config, tiny_safetensors

BIG = "org/Big-7B-Instruct-GGUF"
BIG_FILE = "big-7b-instruct-Q4_K_M.gguf"
BIG_ID = "big:7b:instruct:q4_k_m"
PAIR = "org/Pair-1B-Instruct-GGUF"
PAIR_IDS = ("pair:1b:instruct:q4_k_m", "pair:1b:instruct:q8_0")
PAIR_FILES = ("pair-1b-instruct-Q4_K_M.gguf", "pair-1b-instruct-Q8_0.gguf")
NAME = "tiny-7b-instruct-Q4_K_M.gguf"
ID = "tiny:7b:instruct:q4_k_m"
REPO = "org/Tiny-7B-Instruct-GGUF"
FULL = "org/Full-1B-Instruct"
TOKEN = "hf_" + "s" * 34


@dataclass(frozen=True)
class Stock:
    hub: FakeHub
    place: Path  # where the home lies whenever it is there; paths in it are those of that place

    @contextmanager
    def home(self) -> Generator[Home]:
        """The home as it was at first; always at the same place, and only one at a time."""
        shutil.copytree(self.place / "kept", self.place / "n", symlinks=True)
        self.hub.faults.clear()
        self.hub.forget()
        try:
            yield Home(self.place / "n", self.hub)
        finally:
            shutil.rmtree(self.place / "n")


@contextmanager
def stocked(place: Path) -> Generator[Stock]:
    """Big: three pieces in one file. Pair: two artifacts that share a projector."""
    source = place / "source"
    with FakeHub() as hub:
        big = gguf(source, BIG_FILE, pad_to=2 * PIECE + 5_000_000)
        hub.add(BIG, {BIG_FILE: big, "README.md": b"# Big"}, license="apache-2.0", downloads=5)
        files = {name: gguf(source, name, seed=seed) for seed, name in enumerate(PAIR_FILES, start=1)}
        hub.add(PAIR, files | {"mmproj-F16.gguf": projector_gguf(source / "mmproj-F16.gguf")}, license="mit")
        with Home(place / "n", hub).node() as node:
            for ref in (f"{BIG}:q4_k_m", f"{PAIR}:q4_k_m", f"{PAIR}:q8_0"):
                assert brought(node, ref)["state"] == "done"
        shutil.move(place / "n", place / "kept")
        yield Stock(hub, place)


@contextmanager
def three_repos(source: Path) -> Generator[FakeHub]:
    """A hub with one file, a folder of safetensors, and a gated model that TOKEN opens."""
    tiny_safetensors(source / "model.safetensors", shards=1)
    tiny_config(source / "config.json")
    gated = "gated-7b-instruct-Q4_K_M.gguf"
    with FakeHub(tokens={TOKEN: {"org/Gated-7B-GGUF"}}) as hub:
        card = b"---\nlicense: mit\n---\n"
        hub.add(REPO, {NAME: gguf(source, NAME, pad_to=3_000_000), "README.md": card}, license="mit")
        hub.add(FULL, {name: source / name for name in ("model.safetensors", "config.json")}, license="mit")
        hub.add("org/Gated-7B-GGUF", {gated: gguf(source, gated, seed=4)}, gated=True)
        yield hub
