"""The thin client: one node, over its owner's socket or at an address with a key. It keeps and retries nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from thorp.access.credentials import SHAPE
from thorp.app.lock import read_holder
from thorp.app.paths import Paths, check_private
from thorp.base.errors import NetworkError, NotFoundError, TryAgainError, UnauthenticatedError
from thorp.cli.answered import answered
from thorp.net.blocking import TIMEOUT, BlockingClient, SseFrame

FIRST_ERROR = 400


class NodeStoppedError(NotFoundError):
    """The node of this home does not run."""

    code = "cli.node_stopped"


class NodeStartingError(TryAgainError):
    """The node of this home runs, and its socket is not there yet or not any more."""

    code = "cli.node_starting"


class StrangeAnswerError(NetworkError):
    """What answered does not speak as a node does."""

    code = "cli.strange_answer"


class NoKeyError(UnauthenticatedError):
    """A node elsewhere was asked without a key."""

    code = "cli.no_key"


class IncompleteKeyError(UnauthenticatedError):
    """What was given as a key is none, or only a part of one."""

    code = "cli.incomplete_key"


class Link:
    def __init__(self, client: BlockingClient, where: str, *, has_key: bool = True) -> None:
        self._client = client
        self._has_key = has_key  # over its own socket the owner needs none
        self.where = where

    def ask(self, method: str, path: str, body: object = None, *, seconds: float = TIMEOUT) -> dict[str, Any]:
        """The node's answer; its error, if it was one, is raised. `seconds` is how long it may think."""
        answer = replace(self._client, timeout=seconds).request(method, path, body)
        if answer.status == UnauthenticatedError.status and not self._has_key:
            raise NoKeyError(f"{self.where} wants a key. Put one of that node into THORP_KEY and try again.")
        if answer.status >= FIRST_ERROR:
            raise answered(answer.status, answer.data)
        if not isinstance(answer.data, dict):
            raise StrangeAnswerError(f"What answers at {self.where} is no Thorp node. Check the address.")
        return cast("dict[str, Any]", answer.data)

    def frames(self, method: str, path: str, body: object = None, *, seconds: float = TIMEOUT) -> Iterator[SseFrame]:
        """The events of a stream as they come. `seconds` is how long it may be silent, if that is more than usual."""
        return replace(self._client, timeout=seconds).events(method, path, body)


def open_link(url: str, key: str, paths: Paths) -> Link:
    """The node at `url`, or this home's own."""
    if url:
        check_key(key)
        return Link(BlockingClient.url(url, key), url, has_key=bool(key))
    socket = live_paths(paths).socket
    if not socket.exists():
        raise NodeStartingError("The node is just starting or stopping. Try again.", socket=str(socket))
    return Link(BlockingClient.unix(socket), str(socket))


def exposed_addresses(link: Link) -> list[str]:
    """Where other devices reach the node now."""
    listeners = link.ask("GET", "/api/v1/status")["listeners"]
    return [one["address"] for one in listeners if one["kind"] == "exposed" and one["state"] == "open"]


def check_key(key: str) -> None:
    """A node overlooks what is no key of its kind, and so could not say what is wrong with it."""
    if key and not SHAPE.fullmatch(key):
        raise IncompleteKeyError(
            "THORP_KEY holds no complete key. A key looks like `thorp_k1234abcd_…`; "
            "copy it once more, or make one over there with `thorp keys create NAME`."
        )


def live_paths(paths: Paths) -> Paths:
    """The places of the running node. Its lock knows them even when another session started it."""
    holder = read_holder(paths.lock)
    if holder is None:
        raise NodeStoppedError(
            f"The node of `{paths.root}` is stopped. Start it with `thorp up`.", home=str(paths.root)
        )
    found = replace(paths, run=Path(holder.run)) if holder.run else paths
    check_private(found.run)
    return found
