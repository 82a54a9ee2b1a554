"""Capabilities, wherever their work happens: in the node, or in this very process while no node runs."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from thorp.base.errors import NetworkError
from thorp.cli.answered import answered

if TYPE_CHECKING:
    from thorp.cli.link import Link

RESTING: Final = frozenset({"done", "failed", "cancelled", "paused"})  # a transfer at rest, as the wire says it
LONGEST: Final = 660.0  # seconds for one answer; the slowest capability that is not streamed has ten minutes
TRIES: Final = 20  # to find a node again that went away
PAUSE: Final = 0.5  # seconds between them
STREAM: Final = "/api/v1/transfers/stream"

Row = dict[str, Any]


class NodeLostError(NetworkError):
    """The node went away in the middle of work that was watched from here."""

    code = "cli.node_lost"


class Caller(Protocol):
    @property
    def here(self) -> bool:
        """No node runs: the work happens in this very process, and ends with it."""
        ...

    def call(self, name: str, /, **given: object) -> dict[str, Any]:
        """What the capability answers."""
        ...

    def stream(self, name: str, /, **given: object) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each `frame` as it comes, then `done` with the answer."""
        ...

    def follow(self, transfer_id: str) -> Iterator[Row]:
        """One transfer, again and again, until it ended or is paused."""
        ...


class NodeCaller:
    """Calls the capabilities of a node."""

    def __init__(self, link: "Link", rest: Callable[[float], object] = time.sleep) -> None:
        self._link = link
        self._rest = rest
        self.here = False

    def call(self, name: str, /, **given: object) -> dict[str, Any]:
        return self._link.ask("POST", path_of(name), {"input": given}, seconds=LONGEST)["output"]

    def stream(self, name: str, /, **given: object) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in self._link.frames("POST", path_of(name), {"input": given}, seconds=LONGEST):
            if one.event == "error":
                raise answered(one.data.get("status"), one.data)
            if one.event == "done":
                yield "done", one.data["output"]
                return
            yield "frame", one.data
        raise self._lost()

    def follow(self, transfer_id: str) -> Iterator[Row]:
        tries = 0
        while tries < TRIES:
            try:
                for row in self._rows(transfer_id):
                    tries = 0
                    yield row
                    if row["state"] in RESTING:
                        return
            except NetworkError:
                pass  # it may come back
            tries += 1
            self._rest(PAUSE)
        raise self._lost()

    def _rows(self, transfer_id: str) -> Iterator[Row]:
        """As the node tells of it, from how it is now until the stream ends."""
        for one in self._link.frames("GET", STREAM):
            if one.event == "error":
                raise answered(one.data.get("status"), one.data)
            if one.event == "snapshot":
                known = {row["id"]: row for row in one.data["transfers"]}
                yield known.get(transfer_id) or self.call("transfer.show", id=transfer_id)
            elif one.event == "change" and one.data.get("id") == transfer_id:
                yield {name: value for name, value in one.data.items() if name != "kind"}

    def _lost(self) -> NodeLostError:
        return NodeLostError(
            f"{self._link.where} went away in the middle. What it has fetched or done is kept there; "
            "start it again with `thorp up`, and see how it is with `thorp transfers`."
        )


def path_of(name: str) -> str:
    return f"/api/v1/call/{quote(name, safe='@.')}"
