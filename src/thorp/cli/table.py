"""Every command in one table: where it lies, what it is for, and its twins on the REST face.

The table is all that `thorp --help` reads; a command's own module is imported when it runs. It holds data only.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

Twin: TypeAlias = tuple[str, str]  # method and path as the route table writes them


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    target: str  # module and attribute
    help: str
    twins: tuple[Twin, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    names: tuple[str, ...]  # first words, in the order they are shown


SECTIONS: Final = (
    Section("Node", ("init", "up", "down", "status", "open")),
    Section("Models", ("search", "pull", "models", "share", "unshare", "transfers", "login", "logout")),
    Section("Household", ("lan",)),
    Section("Use", ("capabilities", "call")),
    Section("Access", ("keys", "sessions", "token", "expose", "unexpose")),
    Section("Settings", ("config", "completion")),
)

NOUNS: Final = {
    "config": "Settings: show, change, check.",
    "login": "Tokens of others: keep the hub's.",
    "logout": "Tokens of others: forget the hub's.",
    "lan": "The other nodes of the house: see, invite, join, remove.",
    "models": "Models here: list, show, check, repair, remove, import.",
    "transfers": "Models on their way: list, pause, resume, cancel, slow down.",
    "keys": "API keys: make, list, revoke.",
    "sessions": "Browsers that are signed in: list, end.",
}

COMMANDS: Final = (
    Entry("init", "thorp.cli.init:init", "Make the home of a node, or clean up after one that died."),
    Entry("up", "thorp.cli.up:up", "Start the node."),
    Entry("down", "thorp.cli.down:down", "Stop the node in order.", (("POST", "/api/v1/admin/shutdown"),)),
    Entry("status", "thorp.cli.status:status", "Show how the node is doing.", (("GET", "/api/v1/status"),)),
    Entry(
        "open",
        "thorp.cli.open:open_dashboard",
        "Open the dashboard, signed in.",
        (("POST", "/api/v1/login/codes"),),
    ),
    Entry("search", "thorp.cli.search:search", "Look for models on the hub.", (("GET", "/api/v1/hub/search"),)),
    Entry(
        "pull",
        "thorp.cli.pull:pull",
        "Fetch a model, whole and verified.",
        (("POST", "/api/v1/models/resolve"), ("POST", "/api/v1/models/download")),
    ),
    # A noun that is an entry as well runs it when it stands alone.
    Entry("models", "thorp.cli.models:list_models", "List the models of this node.", (("GET", "/api/v1/models"),)),
    Entry("models list", "thorp.cli.models:list_models", "List the models of this node.", (("GET", "/api/v1/models"),)),
    Entry(
        "models show",
        "thorp.cli.models:show",
        "Show one model: its files, its licence, whether it fits.",
        (("GET", "/api/v1/models/{ref:path}"),),
    ),
    Entry(
        "models verify",
        "thorp.cli.models_files:verify",
        "Compare every byte of a model with its receipt.",
        (("POST", "/api/v1/models/{ref:path}/verify"), ("POST", "/api/v1/models/verify")),
    ),
    Entry(
        "models repair",
        "thorp.cli.models_files:repair",
        "Fetch again only what is wrong with a model.",
        (("POST", "/api/v1/models/{ref:path}/repair"),),
    ),
    Entry(
        "models rm",
        "thorp.cli.models_files:remove",
        "Remove a model from this node.",
        (("DELETE", "/api/v1/models/{ref:path}"),),
    ),
    Entry(
        "models prune",
        "thorp.cli.models_files:prune",
        "Remove leftovers, and models long unused.",
        (("POST", "/api/v1/models/prune"),),
    ),
    Entry(
        "models import",
        "thorp.cli.models_moves:import_models",
        "Take in models that are on this machine already.",
        (("POST", "/api/v1/models/import"),),
    ),
    Entry("models export", "thorp.cli.models_moves:export", "Write a model into one file, for a stick."),
    Entry(
        "models alias",
        "thorp.cli.models:alias",
        "Give a model a name of your own.",
        (("PUT", "/api/v1/models/aliases/{name}"),),
    ),
    Entry(
        "models unalias",
        "thorp.cli.models:unalias",
        "Take back a name of your own.",
        (("DELETE", "/api/v1/models/aliases/{name}"),),
    ),
    Entry(
        "models rescan",
        "thorp.cli.models:rescan",
        "Make the index of the library anew.",
        (("POST", "/api/v1/models/rescan"),),
    ),
    Entry(
        "share",
        "thorp.cli.share:share",
        "Let the household, or everybody, have a model.",
        (("POST", "/api/v1/models/share"),),
    ),
    Entry(
        "unshare",
        "thorp.cli.share:unshare",
        "Keep a model to this node again.",
        (("DELETE", "/api/v1/models/{ref:path}/share"),),
    ),
    Entry(
        "transfers",
        "thorp.cli.transfers:list_transfers",
        "List models on their way.",
        (("GET", "/api/v1/transfers"),),
    ),
    Entry(
        "transfers list",
        "thorp.cli.transfers:list_transfers",
        "List models on their way.",
        (("GET", "/api/v1/transfers"),),
    ),
    Entry("transfers show", "thorp.cli.transfers:show", "Show one transfer.", (("GET", "/api/v1/transfers/{id}"),)),
    Entry(
        "transfers pause",
        "thorp.cli.transfers:pause",
        "Pause a transfer.",
        (("PUT", "/api/v1/transfers/{id}/pause"),),
    ),
    Entry(
        "transfers resume",
        "thorp.cli.transfers:resume",
        "Go on with a transfer.",
        (("PUT", "/api/v1/transfers/{id}/resume"),),
    ),
    Entry(
        "transfers cancel",
        "thorp.cli.transfers:cancel",
        "End a transfer, and remove what it fetched.",
        (("DELETE", "/api/v1/transfers/{id}"),),
    ),
    Entry(
        "transfers limit",
        "thorp.cli.transfers:limit",
        "Set how fast transfers may be.",
        (("PUT", "/api/v1/transfers/limit"), ("PUT", "/api/v1/transfers/{id}/limit")),
    ),
    Entry("lan", "thorp.cli.lan:status", "Say how this node hears its household.", (("GET", "/api/v1/lan"),)),
    Entry("lan status", "thorp.cli.lan:status", "Say how this node hears its household.", (("GET", "/api/v1/lan"),)),
    Entry("lan peers", "thorp.cli.lan:peers", "List the members of the household.", (("GET", "/api/v1/lan/peers"),)),
    Entry(
        "lan invite",
        "thorp.cli.lan:invite",
        "Make a link that lets one node in.",
        (("POST", "/api/v1/lan/invites"),),
    ),
    Entry("lan join", "thorp.cli.lan:join", "Join the household of a link.", (("POST", "/api/v1/lan/join"),)),
    Entry(
        "lan remove",
        "thorp.cli.lan:remove",
        "Take a node out of the household at once.",
        (("DELETE", "/api/v1/lan/members/{node}"),),
    ),
    Entry("login hub", "thorp.cli.hub_login:login", "Keep a token of the hub, for gated models."),
    Entry("logout hub", "thorp.cli.hub_login:logout", "Forget the token of the hub."),
    Entry(
        "capabilities",
        "thorp.cli.capabilities:capabilities",
        "List what the node can do, and what it cannot and why.",
        (("GET", "/api/v1/capabilities"),),
    ),
    Entry("call", "thorp.cli.call:call", "Call a capability by its name.", (("POST", "/api/v1/call/{name}"),)),
    Entry("keys create", "thorp.cli.keys:create", "Make a key; it is shown once.", (("POST", "/api/v1/keys"),)),
    Entry("keys list", "thorp.cli.keys:list_keys", "List all keys without their secrets.", (("GET", "/api/v1/keys"),)),
    Entry(
        "keys revoke",
        "thorp.cli.keys:revoke",
        "End a key at once, and every call that runs on it.",
        (("DELETE", "/api/v1/keys/{id}"),),
    ),
    Entry(
        "sessions list",
        "thorp.cli.sessions:list_sessions",
        "List the browsers that are signed in.",
        (("GET", "/api/v1/sessions"),),
    ),
    Entry(
        "sessions end",
        "thorp.cli.sessions:end",
        "Sign a browser out at once, and end every call of it.",
        (("DELETE", "/api/v1/sessions/{id}"), ("POST", "/api/v1/sessions/end")),
    ),
    Entry("token", "thorp.cli.token:token", "Print the owner's token of the running node."),
    Entry(
        "expose",
        "thorp.cli.expose:expose",
        "Let other devices reach the node, with TLS and a key.",
        (("POST", "/api/v1/exposure"),),
    ),
    Entry(
        "unexpose",
        "thorp.cli.expose:unexpose",
        "Close the node to other devices again.",
        (("DELETE", "/api/v1/exposure"),),
    ),
    Entry("config show", "thorp.cli.config:show", "Show every setting.", (("GET", "/api/v1/config"),)),
    Entry("config get", "thorp.cli.config:get", "Print one setting.", (("GET", "/api/v1/config/{key}"),)),
    Entry("config set", "thorp.cli.config:set_value", "Change one setting.", (("PUT", "/api/v1/config/{key}"),)),
    Entry(
        "config unset",
        "thorp.cli.config:unset",
        "Take one setting out of the file.",
        (("DELETE", "/api/v1/config/{key}"),),
    ),
    Entry("config check", "thorp.cli.config:check_file", "Find every mistake in the settings."),
    Entry("config paths", "thorp.cli.config:paths", "Show where everything lies."),
    Entry(
        "config edit",
        "thorp.cli.config:edit",
        "Edit the settings file, and check it before it counts.",
        (("POST", "/api/v1/config/reload"),),
    ),
    Entry("completion", "thorp.cli.completion:completion", "Print the completion script of a shell."),
)
