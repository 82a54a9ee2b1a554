"""A node with an empty library, before which hostile models are laid: nothing of them may stay."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.library_house import Home, tree
from thorp.testing.hub import FakeHub
from thorp.testing.process import NodeProcess


@dataclass
class Keeper:
    home: Home
    node: NodeProcess

    def asked(self, path: Path, **more: Any) -> tuple[int, Any]:
        answer = self.node.owner().request("POST", "/api/v1/models/import", {"path": str(path), **more})
        return answer.status, answer.data

    def kept(self) -> dict[str, bytes]:
        """Everything it has of models: files, receipts, torrents."""
        hub = self.home.folder / "hub"
        found = tree(hub) | tree(self.home.folder / "data" / "receipts") | tree(self.home.folder / "data" / "torrents")
        folders = {f"{path.relative_to(hub)}/": b"" for path in hub.rglob("*") if path.is_dir()}
        return {name: one for name, one in (found | folders).items() if not name.startswith((".thorp-store", ".locks"))}

    def refuses(self, path: Path, **more: Any) -> str:
        """That it takes nothing of it and leaves nothing behind; answers with why."""
        before = self.kept()
        status, data = self.asked(path, **more)
        assert self.kept() == before
        assert self.node.process.poll() is None
        if status == 200:
            assert data["imported"] == []
            return " ".join(one["reason"] for one in data["skipped"])
        assert status in (400, 404, 409, 422), data
        return data["error"]["message"]


@contextmanager
def keeper_in(folder: Path, hub: FakeHub) -> Generator[Keeper]:
    home = Home(folder / "n", hub)
    with home.node() as node:
        yield Keeper(home, node)
