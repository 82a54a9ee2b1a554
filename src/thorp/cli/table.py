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
    Section("Use", ("capabilities", "call")),
    Section("Access", ("keys", "sessions", "token", "expose", "unexpose")),
    Section("Settings", ("config", "completion")),
)

NOUNS: Final = {
    "config": "Settings: show, change, check.",
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
