"""Models that travel in a village, links that are slow one way, and how many bytes really left a machine."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.e2e.lan_village import Row, pull, stock_hub
from tests.e2e.pulls import MIB, WORKING
from thorp.models.layout import repo_folder
from thorp.testing.machines import Hub, Machine, VillageNode
from thorp.testing.process import until
from thorp.testing.village import Village

PIECE: Final = 16 * MIB
MESH_PORT, SWARM_PORT = 7080, 7081
HELLO: Final = b"\x13BitTorrent protocol"  # how every BitTorrent connection begins that is not encrypted
NO_TORRENTS: Final = f"tcp dport {SWARM_PORT} drop"


@dataclass(frozen=True)
class Stocked:
    """A model of the hub that one node has."""

    repo: str
    file: Path

    @property
    def ref(self) -> str:
        return f"{self.repo}:q4_k_m"

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    def is_whole_at(self, node: VillageNode) -> bool:
        """Whether every byte of it is there, and nothing of it is left half done or set aside."""
        top = node.home / "hub" / repo_folder(self.repo)
        [found] = top.glob(f"snapshots/*/{self.file.name}")
        return digest(found) == digest(self.file) and not list(top.glob(".thorp/*/*"))


def stocked(village: Village, name: str, mib: int, *holders: str) -> Stocked:
    """A model on the hub that these nodes have from there, and that is theirs to give before this returns."""
    repo, file = f"org/{name}-1B-GGUF", f"{name}-1B-Q4_K_M.gguf"
    made = Stocked(repo, stock_hub(village, mib, repo=repo, file=file, seed=len(name) * mib + sum(name.encode())))
    for holder in holders:
        pull(village.node(holder), made.ref)
    return made


def sees(node: VillageNode, model: Stocked) -> None:
    """Wait until a node knows that a neighbour has it."""
    until(lambda: hits(node, model.repo), f"{node.name} sees {model.repo} next door")


def hits(node: VillageNode, words: str) -> list[Row]:
    """What of the neighbours' models these words find."""
    path = f"/api/v1/hub/search?q={quote(words)}&from=lan&limit=100"
    return node.process.owner().request("GET", path).data["results"]


def fetched(node: VillageNode, ref: str) -> Row:
    """`thorp pull`, to its end; answers with its transfer."""
    ended = node.thorp("pull", ref)
    if ended.returncode:
        raise AssertionError(ended.stderr)
    newest = max(node.told("transfers")["transfers"], key=lambda one: one["id"])
    assert newest["ref"].startswith(ref)
    return newest


def begin(node: VillageNode, model: Stocked | str, **more: object) -> str:
    """A pull at a node, which goes on meanwhile; its id."""
    ref = model if isinstance(model, str) else model.ref
    answer = node.process.owner().request("POST", "/api/v1/models/download", {"ref": ref, **more})
    if answer.status != 202:
        raise AssertionError(answer)
    return answer.data["transfer_id"]


def transfer(node: VillageNode, number: str) -> Row:
    """A transfer as it stands."""
    return node.process.owner().request("GET", f"/api/v1/transfers/{number}").data


def steer(node: VillageNode, number: str, verb: str) -> Row:
    """Pause or resume a transfer."""
    return node.process.owner().request("PUT", f"/api/v1/transfers/{number}/{verb}").data


def until_came(node: VillageNode, number: str, count: int) -> Row:
    """A transfer once so many bytes of it are here; it must not be over by then."""

    def far() -> Row | None:
        row = transfer(node, number)
        return row if row["done"] >= count or row["state"] not in WORKING else None

    row = until(far, f"{count} bytes came")
    assert row["state"] in WORKING, row
    return row


def until_noted(node: VillageNode, number: str, count: int) -> Row:
    """A transfer once so many bytes of it are here in whole pieces; it must not be over by then."""

    def far() -> Row | None:
        row = transfer(node, number)
        return row if sum(row["by_source"].values()) >= count or row["state"] not in WORKING else None

    row = until(far, f"pieces of {count} bytes came")
    assert row["state"] in WORKING, row
    return row


def until_rests(node: VillageNode, number: str) -> Row:
    """A transfer once nothing goes on any more. As long as something comes, one waits for it."""
    row = transfer(node, number)
    while row["state"] in WORKING:

        def moved(before: Row = row) -> Row | None:
            now = transfer(node, number)
            return now if (now["done"], now["state"]) != (before["done"], before["state"]) else None

        row = until(moved, f"more of {row} comes")
    return row


def until_done(node: VillageNode, number: str) -> Row:
    row = until_rests(node, number)
    assert row["state"] == "done", row
    return row


def until_source(node: VillageNode, number: str, kind: str) -> Row:
    """A transfer once a whole piece of it came from there."""

    def came() -> Row | None:
        row = transfer(node, number)
        return row if row["by_source"].get(kind, 0) >= PIECE or row["state"] not in WORKING else None

    row = until(came, f"a piece came from {kind}")
    assert row["state"] in WORKING, row
    return row


def noted(node: VillageNode) -> int:
    """Bytes of files on their way that are here, as the notes beside them say."""
    notes = node.home.glob("hub/models--*/.thorp/partial/*/progress.json")
    spans = [span for one in notes for span in json.loads(one.read_bytes())["here"]]
    return sum((end - first) * MIB for first, end in spans)


def partial_data(node: VillageNode) -> Path:
    """The bytes of the one file that is on its way."""
    [found] = node.home.glob("hub/models--*/.thorp/partial/*/data")
    return found


def sent(machine: Machine | Hub) -> int:
    """Bytes that left it through its cable, everything counted."""
    [link] = json.loads(machine.namespace.do("ip", "-json", "-statistics", "link", "show", "dev", "eth0"))
    return link["stats64"]["tx"]["bytes"]


@contextmanager
def slowed(machine: Machine | Hub, rate: str) -> Generator[None]:
    """It sends no faster than this for a while, as `tc` writes it; what it receives comes as before."""
    shape = ("root", "tbf", "rate", rate, "burst", "64kb", "latency", "50ms")
    machine.namespace.do("tc", "qdisc", "replace", "dev", "eth0", *shape)
    try:
        yield
    finally:
        machine.namespace.do("tc", "qdisc", "del", "dev", "eth0", "root")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        told = sha256()
        while data := file.read(MIB):
            told.update(data)
    return told.hexdigest()


def asked_for(village: Village, model: Stocked) -> int:
    """Bytes of a model that the hub has sent, to whomever, in requests that are over."""
    return village.hub().sent(model.file.name)


def settings(node: VillageNode, **changes: Any) -> None:
    """Change settings while the node runs: `sharing_household=False` is `sharing.household`."""
    for name, value in changes.items():
        said = str(value).lower() if isinstance(value, bool) else str(value)
        ended = node.thorp("config", "set", name.replace("_", ".", 1), said)
        if ended.returncode:
            raise AssertionError(ended.stderr)
