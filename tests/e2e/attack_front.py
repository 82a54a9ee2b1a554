"""A node before a hub that lies, and a place beside the hub that writes down what comes."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.e2e.attack_hub import Recorder, recording
from tests.e2e.library_house import Home, brought, gguf
from thorp.testing.hub import FakeHub
from thorp.testing.process import NodeProcess

TOKEN: Final = "hf_" + "t0k3n" * 7
SIZE: Final = 3_000_000  # of the file of a repository that `offer` makes
HALF: Final = 1_500_000


@dataclass
class Front:
    """A node before a hub, and a place beside the hub that writes down what comes."""

    home: Home
    hub: FakeHub
    node: NodeProcess
    beside: Recorder
    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def offer(self, files: dict[str, Any] | None = None, **about: Any) -> tuple[str, str]:
        """A repository that nobody has pulled; answers with its name and that of its one file, if it is ours."""
        number = next(self.numbers)
        name = f"fresh-7b-instruct-v{number}.Q4_K_M.gguf"
        repo = f"org/Fresh-{number}-7B-Instruct-GGUF"
        made = {name: gguf(self.folder, name, seed=number, pad_to=SIZE)} if files is None else files
        self.hub.add(repo, made, **about)
        return repo, name

    def pulled(self, ref: str, **more: Any) -> dict[str, Any]:
        return brought(self.node, ref, **more)

    def has(self, repo: str) -> bool:
        return repo in {one["repo"] for one in self.node.owner().request("GET", "/api/v1/models").data["models"]}

    def check_right(self, repo: str, name: str) -> None:
        """That the library has the very bytes that were put on the hub."""
        model = self.node.owner().request("GET", f"/api/v1/models/{repo}").data
        (at,) = [one["at"] for one in model["files"] if one["path"] == name]
        assert Path(at).read_bytes() == (self.folder / name).read_bytes()

    def check_nothing(self, repo: str) -> None:
        """That nothing of a repository can be taken for a model."""
        assert not self.has(repo)
        assert not list(self.home.stored(repo).glob("snapshots/*/*"))
        assert not list(self.home.stored(repo).glob("blobs/*"))

    def refuses(self, repo: str, *codes: str) -> dict[str, Any]:
        row = self.pulled(repo)
        assert row["state"] in ("refused", "failed"), row
        assert row["error"]["code"] in codes, row["error"]
        self.check_nothing(repo)
        assert self.node.process.poll() is None
        return row

    def forget(self) -> None:
        """What was asked and what goes wrong, before the next test."""
        self.hub.faults.clear()
        self.hub.forget()
        self.beside.forget()


@contextmanager
def before_a_hub(folder: Path) -> Generator[Front]:
    with FakeHub() as hub, recording() as beside:
        home = Home(folder / "n", hub, {"HF_TOKEN": TOKEN})
        hub.tokens[TOKEN] = set()
        with home.node(THORP_TRANSFERS_PARALLEL="16") as node:
            yield Front(home, hub, node, beside, folder)
