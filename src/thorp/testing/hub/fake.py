"""A hub of models for tests: two listeners that answer as the Hugging Face hub and its CDN do.

They are on loopback unless told otherwise. It holds what a test puts on it, remembers whatever it was asked, and does
wrong what it is told to.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self, Unpack

from thorp.base.clock import Clock, Randomness, SystemClock, SystemRandomness
from thorp.testing.hub.answers import Answer, text_answer
from thorp.testing.hub.api import Api, Gate
from thorp.testing.hub.content import LFS_ABOVE, Content
from thorp.testing.hub.faults import Fault, Faults, On, Target
from thorp.testing.hub.line import Line
from thorp.testing.hub.log import Asked, Log
from thorp.testing.hub.repos import Said, Shelf
from thorp.testing.hub.request import Host, Request, span_of
from thorp.testing.hub.resolve import Cdn, Link, Links, Resolver, asks_for_file
from thorp.testing.hub.server import Listener
from thorp.testing.hub.strikes import asked_otherwise, changed, instead

LOCAL: Final = "localhost"  # both families of it


def _nobody(_: Asked) -> None:
    pass


@dataclass(eq=False, slots=True)
class FakeHub:
    """`with FakeHub() as hub:`; the ports stay the same when it is stopped and started again."""

    port: int = 0
    cdn_port: int = 0
    page: int = 1000  # entries of one page of a list
    host: str = "127.0.0.1"
    cdn_host: str = LOCAL  # another name than the hub's, so that a token has somewhere to leak to
    told: Callable[[Asked], None] = _nobody  # of each request when it is over, in a thread of the hub
    clock: Clock = field(default_factory=SystemClock)
    randomness: Randomness = field(default_factory=SystemRandomness)
    tokens: dict[str, set[str]] = field(default_factory=dict[str, set[str]])  # what each opens
    faults: Faults = field(default_factory=Faults)
    shelf: Shelf = field(default_factory=Shelf)
    _log: Log = field(default_factory=Log)
    _links: Links = field(init=False)
    _running: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._links = Links(self.randomness)

    # Life.

    def start(self) -> Self:
        local = self.cdn_host == LOCAL
        place = "127.0.0.1" if local else self.cdn_host
        hub = Listener(self.port, lambda line: self._serve(Host.HUB, line), host=self.host)
        cdn = Listener(self.cdn_port, lambda line: self._serve(Host.CDN, line), both=local, host=place)
        with ExitStack() as stack:
            for one in (hub, cdn):
                one.start()
                stack.callback(one.stop)
            self._running = stack.pop_all()
        self.port, self.cdn_port = hub.port, cdn.port
        return self

    def stop(self) -> None:
        """Cut every connection, and be gone; whatever was put on it stays."""
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def cdn_url(self) -> str:
        return f"http://{self.cdn_host}:{self.cdn_port}"

    # What stands on it.

    def add(
        self,
        repo: str,
        files: Mapping[str, bytes | Path | Content | None],
        *,
        lfs_above: int = LFS_ABOVE,
        **about: Unpack[Said],
    ) -> str:
        """Put files on top of a repository (None: this one goes); answers with the commit. What is not said stays."""
        return self.shelf.add(repo, files, lfs_above=lfs_above, **about)

    def rename(self, old: str, new: str) -> None:
        """The old name answers with 307 from now on."""
        self.shelf.rename(old, new)

    def expire_links(self) -> None:
        """Every link to the CDN that was given out so far is refused from now on."""
        self._links.expire()

    # What it was asked.

    @property
    def log(self) -> tuple[Asked, ...]:
        """Every request so far, the running ones included. Whatever a client has received is counted."""
        return self._log.read()

    @property
    def leaks(self) -> int:
        """How many requests brought a token to the CDN."""
        return sum(one.authorization for one in self.log if one.host is Host.CDN)

    def asked(self, path: str) -> tuple[Asked, ...]:
        """Requests about one file, `file` or `org/repo/file`."""
        return tuple(one for one in self.log if one.is_for(path))

    def fetched(self, path: str) -> list[tuple[int, int]]:
        """Which bytes of a file were really sent, first and end of each answer."""
        return [one.span for one in self.asked(path) if one.span]

    def bytes_sent(self, path: str | None = None) -> int:
        """Bytes of one file that were sent; without a name, of all answers together."""
        if path is None:
            return sum(one.sent for one in self.log)
        return sum(end - first for first, end in self.fetched(path))

    def forget(self) -> None:
        """Begin the log anew."""
        self._log.clear()

    # How it answers.

    def _serve(self, host: Host, line: Line) -> None:
        while True:
            try:
                request = line.read(host)
            except ValueError as error:
                line.answer(replace(text_answer(400, f"Bad request: {error}"), close=True), lambda send: send())
                return
            self._exchange(line, request)

    def _exchange(self, line: Line, request: Request) -> None:
        target = _target(request, self._file_of(request))
        struck = self.faults.strike(target)
        entry = self._log.begin(self._noted(request, target))
        try:
            answer = self._answer(request, struck)
            entry.answered(answer.status, answer.first, tuple(one.kind.value for one in struck))
            line.answer(answer, entry.counting, with_body=request.method != "HEAD")
        finally:
            self.told(entry.ended())

    def _noted(self, request: Request, target: Target) -> Asked:
        return Asked(
            host=request.host,
            method=request.method,
            path="/" + "/".join(request.segments),
            query=request.query,
            range=request.range,
            status=0,
            sent=0,
            authorization="authorization" in request.headers,
            at=self.clock.monotonic(),
            repo=target.repo,
            file=target.file,
        )

    def _answer(self, request: Request, struck: tuple[Fault, ...]) -> Answer:
        for fault in struck:
            if (answer := instead(fault, request)) is not None:
                return answer
        for fault in struck:
            request = asked_otherwise(fault, request)
        answer = self._true_answer(request)
        for fault in struck:
            answer = changed(fault, answer)
        return answer

    def _true_answer(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD", "POST"):
            return text_answer(405, "Method Not Allowed", ("Allow", "GET, HEAD, POST"))
        if request.host is Host.CDN:
            return self._cdn.answer(request)
        if asks_for_file(request):
            return self._resolver.answer(request)
        return Api(self._gate, self.url, self.page).answer(request)

    def _file_of(self, request: Request) -> tuple[Link, Content] | None:
        if request.host is Host.CDN:
            return self._cdn.content(request)
        return self._resolver.content(request) if asks_for_file(request) else None

    @property
    def _gate(self) -> Gate:
        return Gate(self.shelf, self.tokens)

    @property
    def _cdn(self) -> Cdn:
        return Cdn(self.shelf, self._links)

    @property
    def _resolver(self) -> Resolver:
        return Resolver(self._gate, self._links, self.cdn_url)


def _meant(request: Request) -> tuple[str, str]:
    """Repository and file that an address of the hub names, whether they exist or not."""
    pieces = request.segments
    if request.host is Host.CDN:
        return "", ""
    if asks_for_file(request):
        return "/".join(pieces[:2]), "/".join(pieces[4:])
    return "/".join(pieces[2:4]), ""


def _target(request: Request, found: tuple[Link, Content] | None) -> Target:
    """What faults see of a request."""
    ranged = request.range is not None
    if found is None:
        on = On.BYTES if request.host is Host.CDN else On.RESOLVE if asks_for_file(request) else On.API
        return Target(on, request.host, request.method, *_meant(request), ranged=ranged)
    link, content = found
    on = On.RESOLVE if content.is_large and request.host is Host.HUB else On.BYTES
    span = span_of(request.range, content.length) if on is On.BYTES else None
    return Target(on, request.host, request.method, link.repo, link.file, span, ranged)
