"""The house under attack: one node, everybody who may stand before it, and every way to knock."""

import dataclasses
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.attack_wire import JSON, Answer, Caller, Header, Line, Place, as_json, ask, bearer
from thorp.identity.scopes import Scope
from thorp.testing.process import NodeProcess, running_node
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import Route

FORM: Header = ("Content-Type", "application/x-www-form-urlencoded")
IN_PATH = {"id": "k0000000a", "key": "node.name", "name": "node.echo", "ref": "org/repo", "node": "attic"}
READS = ("GET", "HEAD")
FORMS = frozenset(route.path for route in EVERY_ROUTE if route.method == "POST" and route.path.startswith("/plain/"))
EVERY_SCOPE = tuple(scope.value for scope in Scope)

# What a working attack would send. A route that is not named here is sent an empty object.
TEMPTING: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/keys"): {"name": "evil", "scopes": ["inference"]},
    ("PUT", "/api/v1/config/{key}"): {"value": "evil"},
    ("POST", "/api/v1/exposure"): {"host": "127.0.0.1", "port": 0},
    ("POST", "/api/v1/call/{name}"): {"input": {"text": "evil"}},
    ("PUT", "/api/v1/transfers/limit"): {"rate": 1},
    ("POST", "/api/v1/lan/invites"): {"hours": 168},
    ("POST", "/api/v1/lan/join"): {"link": "thorp:join/1/evil", "yes": True},
    ("POST", "/api/v1/models/share"): {"path": "/etc", "name": "evil/evil", "license": "mit"},
}


@dataclass(frozen=True)
class Knock:
    """One request to one route, as whoever made it would send it."""

    method: str
    path: str
    body: bytes | None
    kind: tuple[Header, ...] = ()  # how the body is announced

    def at(self, line: Line | Caller, *headers: Header) -> Answer:
        return line.ask(self.method, self.path, (*headers, *self.kind), self.body)

    def alone(self, place: Place, *headers: Header) -> Answer:
        return ask(place, self.method, self.path, (*headers, *self.kind), self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def knock(route: Route, body: object = None) -> Knock:
    """What a route answers to, sent so that it would do its work; with `body` instead of that if given."""
    path = re.sub(r"{(\w+)(?::path)?}", lambda found: IN_PATH[found[1]], route.path)
    if route.method in READS:
        return Knock(route.method, path, None)
    if route.path in FORMS:
        return Knock(route.method, path, b"code=00000000", (FORM,))
    content = TEMPTING.get((route.method, route.path), {}) if body is None else body
    return Knock(route.method, path, as_json(content), (JSON,))


def nonsense(route: Route) -> Knock:
    """A knock that is refused for its form by who would be let in, so that nothing is ever done."""
    made = knock(route, {"no such field": 1})
    if made.method in READS:
        return dataclasses.replace(made, path=f"{made.path}?no+such+field=1")
    return made


NOWHERE = Knock("GET", "/no/such/place", None)
WRONG_METHOD = Knock("PATCH", "/api/v1/keys", b"{}", (JSON,))


def every_knock() -> Iterator[Knock]:
    """Every route that exists, an address that does not, and one that is asked in the wrong way."""
    yield from map(knock, EVERY_ROUTE)
    yield NOWHERE
    yield WRONG_METHOD


@dataclass
class House:
    node: NodeProcess
    exposed: Place | None = None
    _every_scope: str = ""

    @property
    def tcp(self) -> Place:
        return Place(port=self.node.port)

    @property
    def unix(self) -> Place:
        return Place(path=self.node.paths.socket)

    @property
    def places(self) -> dict[str, Place]:
        found = {"local": self.tcp, "socket": self.unix}
        return found | {"exposed": self.exposed} if self.exposed else found

    @property
    def owner_token(self) -> str:
        return self.node.paths.owner_token.read_text()

    def master(self, place: Place) -> tuple[Header, ...]:
        """Whatever opens most at a place: an attack that is refused in spite of it is refused for what it is."""
        if place != self.exposed:
            return (bearer(self.owner_token),)
        self._every_scope = self._every_scope or self.key(*EVERY_SCOPE)
        return (bearer(self._every_scope),)

    def owner(self, method: str, path: str, body: object = None) -> Answer:
        content = None if body is None else as_json(body)
        return ask(self.unix, method, path, (JSON,) if content else (), content)

    def key(self, *scopes: str, **more: Any) -> str:
        return self.node.key(*scopes, **more)["key"]

    def session(self) -> str:
        """A dashboard login, as a browser gets one."""
        code = self.owner("POST", "/api/v1/login/codes").json["code"]
        verb = "login" if self.owner("GET", "/api/v1/claim").json["claimed"] else "claim"
        answer = ask(self.tcp, "POST", f"/api/v1/{verb}", [JSON], as_json({"code": code}))
        assert answer.status == 201, answer
        return answer.json["token"]

    def expose(self, *, plain: bool = False) -> Place:
        """The listener for other devices, on loopback so that nobody else is disturbed."""
        opened = self.owner("POST", "/api/v1/exposure", {"host": "127.0.0.1", "port": 0, "plain": plain}).json
        self.exposed = Place(port=urlsplit(opened["address"]).port or 0, tls=not plain)
        return self.exposed

    def state(self) -> dict[str, Any]:
        """Everything an attack could have changed."""
        status = self.node.status()
        return {
            "claimed": status["claimed"],
            "state": status["node"]["state"],
            "listeners": [(row["kind"], row["address"]) for row in status["listeners"]],
            "keys": self.owner("GET", "/api/v1/keys").json,
            "config": self.owner("GET", "/api/v1/config").json,
        }

    def resident(self) -> int:
        """Bytes of memory the node holds now."""
        return int(Path(f"/proc/{self.node.process.pid}/statm").read_text().split()[1]) * 4096

    def written(self) -> str:
        """Everything the node wrote where a person may read it later."""
        logs = "".join(file.read_text(errors="replace") for file in self.node.paths.logs.iterdir())
        return logs + (self.node.home.parent / f"{self.node.home.name}.output").read_text(errors="replace")


@contextmanager
def house(folder: Path, **variables: str) -> Generator[House]:
    with running_node(folder / "n", **variables) as node:
        yield House(node)
