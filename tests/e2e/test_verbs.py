"""The command line does everything REST does and the other way round: each verb is run, and really calls its twins."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.e2e.pulls import MANY, MIB, ONE, a_model, fill, followed, stock
from thorp.cli.table import COMMANDS, Entry, Twin
from thorp.net.blocking import BlockingClient
from thorp.testing.hub import FakeHub
from thorp.testing.process import QUIET, NodeProcess, running_node
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import NounRoute, RawRoute

CALLS: Final = re.compile(r'thorp_calls_total\{capability="(?P<id>[^"]+)"\}')

# Routes of the API that no verb stands for, and why.
NO_VERB: Final[dict[Twin, str]] = {
    ("GET", "/api/v1/health"): "for programs that watch; `thorp status` says more",
    ("GET", "/api/v1/node"): "a part of what `thorp status` shows",
    ("GET", "/api/v1/claim"): "the dashboard asks it; `thorp status` says it, too",
    ("POST", "/api/v1/claim"): "a browser's way in; the command line is the owner already",
    ("POST", "/api/v1/login"): "a browser's way in",
    ("DELETE", "/api/v1/session"): "a browser's way out",
    ("GET", "/api/v1/stream"): "for what stays open; a command ends",
    ("GET", "/api/v1/transfers/stream"): "what `thorp pull` follows",
    ("GET", "/api/v1/openapi.json"): "a description for programs",
}
# Verbs that need no node, and why.
NO_TWIN: Final = {
    "init": "makes the home itself",
    "up": "there is no node yet",
    "token": "reads a file only the owner can read",
    "config check": "reads the file as the next start will",
    "config paths": "says where this machine keeps things",
    "login hub": "keeps a secret that no listener shall ever carry",
    "logout hub": "removes that secret",
    "models export": "reads files and writes one where the person stands",
    "completion": "belongs to the shell",
}


def twins_of(entry: Entry) -> set[Twin]:
    return set(entry.twins)


def test_the_tables_of_verbs_and_routes_cover_each_other() -> None:
    routes = {(route.method, route.path): route for route in EVERY_ROUTE}
    reached = set[Twin]().union(*map(twins_of, COMMANDS))
    api = {twin for twin in routes if twin[1].startswith("/api/v1/")}
    assert reached - routes.keys() == set()
    assert api - reached == NO_VERB.keys()
    assert {entry.path for entry in COMMANDS if not entry.twins} == NO_TWIN.keys()
    assert {twin for twin, route in routes.items() if isinstance(route, NounRoute)} <= api
    assert all(isinstance(routes[twin], RawRoute) for twin in NO_VERB if twin != ("GET", "/api/v1/node"))


@dataclass(frozen=True)
class Use:
    """How one verb is run here."""

    words: tuple[str, ...] = ()
    prepare: Callable[[NodeProcess], tuple[str, ...]] = lambda _node: ()  # further words
    variables: dict[str, str] = field(default_factory=dict)
    calls: str = ""  # what a call by name calls
    then: Callable[[NodeProcess], tuple[str, ...]] | None = None  # words of a second run, which means another twin
    beside: frozenset[str] = frozenset()  # what it looks at on the way


def a_key(node: NodeProcess) -> tuple[str, ...]:
    return (node.key("inference")["id"], "--yes")


def a_session(node: NodeProcess) -> tuple[str, ...]:
    code = node.owner().request("POST", "/api/v1/login/codes").data["code"]
    verb = "login" if node.status()["claimed"] else "claim"
    token: str = node.over_tcp().request("POST", f"/api/v1/{verb}", {"code": code}).data["token"]
    return (token.split("_")[1], "--yes")


LARGE: Final = "slow/Large-1B-GGUF"
OTHER: Final = "other"  # the home of a second node, beside that of the first
FAR: Final = "far"  # of a third one, with a household of its own
MEETS: Final = {**QUIET, "THORP_LAN_ENABLED": "true"}  # but on loopback only


def owner_of(node: NodeProcess, home: str) -> BlockingClient:
    """The owner of a node beside this one."""
    return BlockingClient.unix(node.home.parent / home / "run/api.sock")


def a_member(node: NodeProcess) -> tuple[str, ...]:
    """The second node, once it is in the household of the first."""
    link, other = link_of(node.owner()), owner_of(node, OTHER)
    joined = other.request("POST", "/api/v1/lan/join", {"link": link, "yes": True})
    assert joined.status == 200, joined
    return (other.request("GET", "/api/v1/lan").data["node"], "--yes")


def a_link(node: NodeProcess) -> tuple[str, ...]:
    return (link_of(owner_of(node, FAR)), "--yes")


def link_of(owner: BlockingClient) -> str:
    made = owner.request("POST", "/api/v1/lan/invites")
    assert made.status == 201, made
    return made.data["link"]


def a_ref(node: NodeProcess) -> tuple[str, ...]:
    """A model that is in the library."""
    answer = node.owner().request("POST", "/api/v1/models/download", {"ref": ONE}).data
    if answer["transfer_id"]:
        assert followed(node, answer["transfer_id"])["state"] == "done"
    return (ONE,)


def a_named_ref(node: NodeProcess) -> tuple[str, ...]:
    node.owner().request("PUT", "/api/v1/models/aliases/fast", {"ref": a_ref(node)[0]})
    return ("fast",)


def a_folder(node: NodeProcess) -> tuple[str, ...]:
    return (str(a_model(node.home.parent / "found", "Found-1B-Q4_K_M.gguf", seed=77).parent), "--name", "me/Found-1B")


def a_transfer(node: NodeProcess) -> tuple[str, ...]:
    """One that would take minutes."""
    asked = {"ref": LARGE, "limit": 65_536}
    return (node.owner().request("POST", "/api/v1/models/download", asked).data["transfer_id"],)


def a_paused_transfer(node: NodeProcess) -> tuple[str, ...]:
    [transfer] = a_transfer(node)
    node.owner().request("PUT", f"/api/v1/transfers/{transfer}/pause", {})
    return (transfer,)


def a_limited_transfer(node: NodeProcess) -> tuple[str, ...]:
    return ("64k", *a_transfer(node))


USES: Final = {
    "call": Use(("node.echo", '{"text": "a"}'), calls="node.echo@1.0"),
    "capabilities": Use(),
    "config edit": Use(variables={"EDITOR": """sh -c 'echo "# seen" >> "$1"' -"""}),
    "config get": Use(("local.port",)),
    "config set": Use(("node.name", "loft")),
    "config show": Use(),
    "config unset": Use(("node.name",)),
    "down": Use(),
    "expose": Use(("--host", "127.0.0.2", "--port", "0")),
    "keys create": Use(("kitchen",)),
    "keys list": Use(),
    "keys revoke": Use(prepare=a_key),
    "lan": Use(),
    "lan invite": Use(),
    "lan join": Use(prepare=a_link, beside=frozenset({"model.heads@1.0"})),
    "lan peers": Use(),
    "lan remove": Use(prepare=a_member),
    "lan status": Use(),
    "models": Use(),
    "models alias": Use(("swift",), prepare=a_ref),
    "models import": Use(prepare=a_folder),
    "models list": Use(),
    "models prune": Use(("--yes",)),
    "models repair": Use(prepare=a_ref),
    "models rescan": Use(),
    "models rm": Use(("--yes",), prepare=a_ref),
    "models show": Use(prepare=a_ref),
    "models unalias": Use(prepare=a_named_ref),
    "models verify": Use(prepare=a_ref),
    "open": Use(("--print",)),
    "pull": Use((f"{MANY}:q2_k",), beside=frozenset({"transfer.list@1.0"})),
    "search": Use(("mistral",)),
    "share": Use(prepare=a_ref),
    "unshare": Use(prepare=a_ref),
    "sessions end": Use(prepare=a_session),
    "sessions list": Use(),
    "status": Use(),
    "transfers": Use(),
    "transfers cancel": Use(("--yes",), prepare=a_transfer),
    "transfers limit": Use(("none",), then=a_limited_transfer),
    "transfers list": Use(),
    "transfers pause": Use(prepare=a_transfer),
    "transfers resume": Use(prepare=a_paused_transfer),
    "transfers show": Use(prepare=a_transfer),
    "unexpose": Use(("--yes",)),
}


def only_json(text: str) -> bool:
    """One document, or one on each line."""
    while text:
        _, end = json.JSONDecoder().raw_decode(text)
        text = text[end:].lstrip()
    return True


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with a hub of its own, which has something small and something that takes long."""
    folder = tmp_path_factory.mktemp("hub")
    with FakeHub() as hub:
        fill(hub, stock(folder))
        hub.add(LARGE, {"Large-1B-Q4_K_M.gguf": a_model(folder, "Large-1B-Q4_K_M.gguf", 64 * MIB)})
        home = tmp_path_factory.mktemp("shared") / "n"
        with (
            running_node(home, HF_ENDPOINT=hub.url, **MEETS) as node,
            running_node(home.with_name(OTHER), **MEETS),
            running_node(home.with_name(FAR), **MEETS),
        ):
            yield node


def called(node: NodeProcess) -> Counter[str]:
    """How often each capability was called, as the node's own figures say."""
    return Counter(
        {found["id"]: int(count) for name, count in node.figures().items() if (found := CALLS.fullmatch(name))}
    )


@pytest.mark.parametrize(
    "entry",
    # Who joins another household decides nothing any more, so that comes last.
    sorted((one for one in COMMANDS if one.twins and one.path != "down"), key=lambda one: one.path == "lan join"),
    ids=lambda one: one.path,
)
def test_a_verb_really_calls_its_twins(entry: Entry, shared: NodeProcess) -> None:
    use = USES[entry.path]
    words = (*entry.path.split(), *use.words, *use.prepare(shared))
    runs = [words, (*entry.path.split(), *use.then(shared))] if use.then else [words]
    before = called(shared)
    for one in runs:
        told = shared.thorp(*one, "--json", **use.variables)
        assert told.returncode == 0, told.stderr
        assert only_json(told.stdout)
    behind = {(one.method, one.path): one.capability.id for one in EVERY_ROUTE if isinstance(one, NounRoute)}
    wanted = {behind.get(twin, use.calls) for twin in entry.twins}
    done = set(called(shared) - before)
    assert wanted <= done
    looked_at_before_asking = {"keys.list@1.0", "sessions.list@1.0", "node.status@1.0", "lan.heads@1.0", *use.beside}
    assert done - wanted <= looked_at_before_asking


def test_down_really_calls_its_twin(node: NodeProcess) -> None:
    assert node.thorp("down", "--json").returncode == 0
    assert node.process.wait(60) == 0
    assert "stopping: the owner asked for it" in [line["message"] for line in node.log()]


def test_every_verb_with_a_twin_is_run_here() -> None:
    assert {entry.path for entry in COMMANDS if entry.twins} == USES.keys()
