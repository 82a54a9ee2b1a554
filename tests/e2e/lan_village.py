"""Households in a village: models on a hub beyond it, nodes that join each other, and what they say of each other."""

import json
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.e2e.pulls import MIB, a_model
from thorp.testing.machines import VillageNode
from thorp.testing.process import start_node, until
from thorp.testing.village import Village

REPO: Final = "org/Tiny-1B-GGUF"
FILE: Final = "Tiny-1B-Q4_K_M.gguf"
REF: Final = f"{REPO}:q4_k_m"

Row = dict[str, Any]


def stock_hub(village: Village, mib: int = 4, *, repo: str = REPO, file: str = FILE, seed: int = 0) -> Path:
    """One model on the hub, `mib` MiB of it beside what stood there before; answers with its file."""
    top = village.folder / "hub-files"
    made = a_model(top / repo, file, size=mib * MIB, seed=seed)
    village.hub(top)
    return made


def status(node: VillageNode) -> Row:
    """What `thorp lan status` asks the node for; cheap enough to be asked again and again."""
    return node.process.owner().request("GET", "/api/v1/lan").data


def refused(node: VillageNode) -> Counter[str]:
    """How many packets were not believed since the start, by reason, as `thorp lan status` shows it."""
    return Counter(node.told("lan", "status")["refused"])


def neighbours(node: VillageNode) -> dict[str, Row]:
    """The members that are here, by name."""
    return {one["name"]: one for one in status(node)["neighbours"]}


def join(founder: VillageNode, *others: VillageNode) -> None:
    """Let others into the founder's household; all of them run."""
    for other in others:
        ended = other.thorp("lan", "join", founder.told("lan", "invite")["link"])
        if ended.returncode:
            raise AssertionError(ended.stderr)


def meet(nodes: Sequence[VillageNode]) -> None:
    """Wait until each of these nodes hears all others, and could take part in a swarm with them."""
    for node in nodes:
        names = {one.name for one in nodes if one is not node}

        def heard(node: VillageNode = node, names: set[str] = names) -> bool:
            here = neighbours(node)
            return all(name in here and here[name]["swarm_port"] for name in names)

        until(heard, f"{node.name} hears {', '.join(sorted(names))}")


def shows(node: VillageNode, holder: VillageNode, models: int = 1) -> None:
    """Wait until a node knows how many models its neighbour shows."""
    until(lambda: neighbours(node).get(holder.name, {}).get("models") == models, f"{node.name} hears of the models")


def pull(node: VillageNode, *words: str) -> Row:
    """Pull, which has to succeed; answers with the transfer at its end."""
    ended = node.thorp("pull", *(words or (REF,)), "--json")
    if ended.returncode:
        raise AssertionError(ended.stderr)
    return json.loads(ended.stdout.splitlines()[-1])


def drop(node: VillageNode, ref: str = REF) -> None:
    """Have a node without the model again, if it has it."""
    if ref.partition(":")[0] in {one["repo"] for one in receipts(node)}:
        ended = node.thorp("models", "rm", ref, "--yes")
        if ended.returncode:
            raise AssertionError(ended.stderr)


def begin_at(node: VillageNode, moment: str) -> None:
    """Start a node whose clock is off, as `faketime` says it: `+365d`.

    What it would set is set without it: it stays between a program and the signals that are meant for it.
    """
    told = node.run(["faketime", "--exclude-monotonic", "-f", moment, "env"]).stdout.splitlines()
    kept = [one for one in told if "FAKETIME" in one or one.startswith("LD_PRELOAD=")]
    clock = ["env", *(one for one in kept if not one.startswith("FAKETIME_SHARED"))]
    node.running = start_node(node.home, through=(*node.through, *clock), **node.variables)


def receipts(node: VillageNode) -> list[Row]:
    return [json.loads(one.read_bytes()) for one in sorted(node.home.glob("data/receipts/**/metadata.json"))]


def torrents(node: VillageNode) -> dict[str, bytes]:
    """The `.torrent` files of a node, by infohash."""
    return {one.stem: one.read_bytes() for one in sorted(node.home.glob("data/torrents/*.torrent"))}


@contextmanager
def household(
    names: Sequence[str] = ("a", "b", "c"),
    rate: str | None = None,
    *,
    mib: int = 4,
    apart: Sequence[str] = (),
    **how: Any,
) -> Generator[Village]:
    """A village with a household, founded by its first member, who alone has the hub's model.

    The nodes `apart` are none of it; they are there, and not started.
    """
    with Village((*names, *apart), rate, **how) as village:
        stock_hub(village, mib)
        nodes = [village.node(name) for name in names]
        for node in nodes:
            node.start()
        pull(nodes[0], REF, "--no-start")
        join(nodes[0], *nodes[1:])
        meet(nodes)
        yield village
