"""The Hugging Face hub, or whatever speaks like it at HF_ENDPOINT: search, listings, and ranges of bytes.

Metadata goes through `huggingface_hub`, which never sees the token; bytes are fetched here. Everything leaves this
machine through `Outward`. Refuses any range that is not exactly the bytes that were asked for.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, Protocol
from urllib.parse import quote

from thorp import __version__
from thorp.base.clock import Clock, SystemClock
from thorp.base.errors import NetworkError, ThorpError
from thorp.base.lazy import LazyModule
from thorp.models.ports import Stop
from thorp.models.sources.hub_answers import Question, check_identity, check_range, judge
from thorp.models.sources.hub_errors import (
    BadHubAnswerError,
    HubOfflineError,
    HubUnreachableError,
    NoSuchFileError,
    NoSuchRepoError,
)
from thorp.models.sources.hub_listing import (
    MOST_FILES,
    files_are_told,
    hit_of,
    is_repo_name,
    repo_of,
    siblings_of,
    tree_files,
)
from thorp.models.types import Hit, RemoteRepo, SourceKind, Wanted
from thorp.net.egress import Origin, Reach, parse_url
from thorp.net.outward import Incoming, Outward, Token
from thorp.net.outward_errors import (
    OutwardBadAnswerError,
    OutwardStalledError,
    OutwardStoppedError,
    OutwardUnreachableError,
    Reason,
)

LARGEST_ANSWER: Final = 16 * 1024 * 1024
LARGEST_TALK: Final = 32 * 1024 * 1024  # all answers to one question together
LONGEST_TALK: Final = 60.0  # seconds for one answer about repositories, however slowly it trickles
MOST_REQUESTS: Final = 100  # of one question; a listing comes in pages
MOST_HITS: Final = 100
MOST_STORES: Final = 256
PARTIAL: Final = 206
OF_ITS_OWN: Final = "/api/agent-harnesses"  # what the library asks for its own header, which nobody here sends
_AGENT: Final = f"thorp/{__version__}"
_EXPANDED: Final = ("cardData", "downloads", "gated", "gguf", "lastModified", "likes", "safetensors", "tags")
_HUB: Final = LazyModule("huggingface_hub")
_TRANSPORT: Final = LazyModule("thorp.net.hub_transport")


@dataclass(frozen=True, slots=True)
class Store:
    """Where the bytes of a file really lie, as the hub said."""

    url: str = field(repr=False)  # signed: it opens the file to who has it
    came_from: Reach  # of the hub's own address


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one question is waited for."""

    ends: Stop
    clock: Clock
    until: float

    def is_set(self) -> bool:
        return self.ends.is_set() or self.clock.monotonic() > self.until


class _Bytes(Protocol):
    def readinto(self, buffer: memoryview) -> int: ...


@dataclass
class ExactBytes:
    """So many bytes and not one more; fewer are a broken line."""

    incoming: _Bytes
    left: int
    where: str

    def readinto(self, buffer: memoryview) -> int:
        if not self.left:
            return 0
        count = self.incoming.readinto(buffer[: self.left])
        if not count:
            raise HubUnreachableError(f"`{self.where}` ended its answer {self.left} bytes too early.")
        self.left -= count
        return count


@dataclass(eq=False)
class HubSource:
    """Satisfies `Hub` and `ByteSource`. Every method blocks."""

    endpoint: str
    token: Callable[[], str | None] = field(repr=False)
    outward: Outward
    offline: Callable[[], bool] | bool = False
    clock: Clock = field(default_factory=SystemClock)
    _ends: threading.Event = field(default_factory=threading.Event, repr=False)
    _stores: dict[Wanted, Store] = field(default_factory=dict[Wanted, Store], repr=False)

    @property
    def kind(self) -> SourceKind:
        return SourceKind.HUB

    @property
    def where(self) -> str:
        return self._origin.netloc

    @property
    def detail(self) -> str:
        return self.where

    def search(self, query: str, limit: int) -> tuple[Hit, ...]:
        wanted = max(1, min(limit, MOST_HITS))
        with self._asking(Question(self._base, with_token=self._token is not None)) as api:
            found = api.list_models(
                filter="gguf", search=query.strip() or None, sort="downloads", limit=wanted, expand=list(_EXPANDED)
            )
            hits = [hit_of(info) for info in islice(found, wanted)]
        return tuple(hit for hit in hits if hit is not None)

    def repo(self, repo: str, revision: str | None) -> RemoteRepo:
        with self._asking(self._question(repo, revision)) as api:
            info = api.model_info(repo, revision=revision, files_metadata=True)
            if files_are_told(info):
                return repo_of(info, siblings_of(info))
            entries = api.list_repo_tree(info.id, recursive=True, revision=info.sha)
            return repo_of(info, tree_files(islice(entries, 2 * MOST_FILES)))

    @contextmanager
    def read(self, wanted: Wanted, first: int, end: int, stop: Stop | None = None) -> Generator[ExactBytes]:
        """The bytes from `first` up to `end`, or an error before the first of them."""
        file = wanted.file
        question = self._question(wanted.repo, wanted.revision, file.path)
        url = f"{self._base}/{wanted.repo}/resolve/{quote(wanted.revision, safe='')}/{_quoted(question)}"
        if not 0 <= first <= end <= file.size:
            raise ValueError(f"bytes {first} to {end} of {file.size}")
        with ExitStack() as stack:
            if first == end:
                yield ExactBytes(_Nothing(), 0, self.where)
                return
            headers = {"User-Agent": _AGENT, "Range": f"bytes={first}-{end - 1}"}
            answer = self._from_store(stack, wanted, headers, stop)
            if answer is None:
                with self._told():
                    answer = stack.enter_context(self.outward.open("GET", url, headers, token=self._token, stop=stop))
                by_hub = answer.hops[-1].origin == self._origin
                judge(answer.status, answer.headers, question, by_hub=by_hub, now=self.clock.wall())
                check_identity(answer.hops, question, file, by_hub=by_hub)
                self._learn(wanted, answer)
            try:
                check_range(answer, question, file, first, end)
            except ThorpError:
                self._stores.pop(wanted, None)
                raise
            yield ExactBytes(answer, end - first, self.where)

    def _from_store(
        self, stack: ExitStack, wanted: Wanted, headers: Mapping[str, str], stop: Stop | None
    ) -> Incoming | None:
        """The bytes from where the hub sent us for this file before; None: ask the hub, the link may be too old."""
        store = self._stores.get(wanted)
        if store is None:
            return None
        trial = ExitStack()
        with suppress(NetworkError), trial:  # whatever is wrong with that place: the hub knows the right one
            answer = trial.enter_context(
                self.outward.open("GET", store.url, headers, follow=0, stop=stop, came_from=store.came_from)
            )
            if answer.status == PARTIAL:
                stack.push(trial.pop_all())
                return answer
        self._stores.pop(wanted, None)
        return None

    def _learn(self, wanted: Wanted, answer: Incoming) -> None:
        """Remember where the hub sent us, so that it is asked once for each file and not for each range."""
        if len(answer.hops) > 1 and answer.hops[-1].origin != self._origin:
            if len(self._stores) >= MOST_STORES:
                self._stores.clear()
            self._stores[wanted] = Store(answer.url, answer.hops[-2].reach)

    def end(self) -> None:
        """No question is waited for any more, by whichever thread."""
        self._ends.set()

    def without_token(self) -> "HubSource":
        """The hub as everybody sees it."""
        return replace(self, token=lambda: None)

    def _patience(self) -> "Patience":
        return Patience(self._ends, self.clock, self.clock.monotonic() + LONGEST_TALK)

    @property
    def _base(self) -> str:
        return self.endpoint.rstrip("/")

    @property
    def _origin(self) -> Origin:
        return parse_url(self._base).origin

    @property
    def _token(self) -> Token | None:
        secret = (self.token() or "").strip()
        return Token(self._origin, secret) if secret else None

    def _question(self, repo: str, revision: str | None, file: str = "") -> Question:
        if not is_repo_name(repo):
            raise NoSuchRepoError(f"`{repo}` is no name of a repository; it reads `owner/name`.")
        return Question(self._base, repo, revision, file, self._token is not None)

    def _check_offline(self) -> None:
        if self.offline() if callable(self.offline) else self.offline:
            raise HubOfflineError(f"`{self.where}` is not asked: this node is set to stay offline (HF_HUB_OFFLINE).")

    @contextmanager
    def _told(self) -> Generator[None]:
        """Errors of the way out in words about the hub."""
        self._check_offline()
        try:
            yield
        except OutwardUnreachableError as error:
            kind = HubOfflineError if error.details.get("reason") is Reason.NO_NETWORK else HubUnreachableError
            raise kind(f"The hub cannot be reached: {error.message}") from error
        except OutwardStoppedError as error:
            raise HubUnreachableError(
                "The hub was given up: its answer takes too long, or nobody waits for it."
            ) from error
        except OutwardStalledError as error:
            raise HubUnreachableError(f"The hub cannot be reached: {error.message}") from error
        except OutwardBadAnswerError as error:
            raise BadHubAnswerError(f"The hub's answer is refused: {error.message}") from error

    @contextmanager
    def _asking(self, question: Question) -> Generator[Any]:
        """The library, with its requests in our hands. It is never given the token, and never sees a failure."""
        self._check_offline()
        asked, heard = 0, 0

        def exchange(method: str, url: str) -> Any:
            nonlocal asked, heard
            asked += 1
            if url == f"{self._base}{OF_ITS_OWN}":
                return _TRANSPORT.load().Reply(404, {}, b"{}")
            if asked > MOST_REQUESTS or method != "GET":
                raise BadHubAnswerError(f"`{question.endpoint}` has more pages of one list than anybody reads.")
            reply = self._exchange(url, question)
            heard += len(reply.body)
            if heard > LARGEST_TALK:
                raise BadHubAnswerError(f"`{question.endpoint}` answers with more than anybody reads.")
            return reply

        with _TRANSPORT.load().lending(exchange):
            try:
                yield _HUB.load().HfApi(endpoint=self._base, token=False)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                raise BadHubAnswerError(f"`{question.endpoint}` gave an answer that cannot be read.") from error

    def _exchange(self, url: str, question: Question) -> Any:
        headers = {"User-Agent": _AGENT, "Accept": "application/json"}
        with self._told(), self.outward.open("GET", url, headers, token=self._token, stop=self._patience()) as answer:
            by_hub = answer.hops[-1].origin == self._origin
            judge(answer.status, answer.headers, question, by_hub=by_hub, now=self.clock.wall())
            return _TRANSPORT.load().Reply(answer.status, answer.headers, answer.read(LARGEST_ANSWER))


class _Nothing:
    def readinto(self, buffer: memoryview) -> int:
        return len(buffer[:0])


def _quoted(question: Question) -> str:
    """A file's path for a URL; one that would leave the repository names no file of it."""
    if any(piece in ("", ".", "..") for piece in question.file.split("/")):
        raise NoSuchFileError(f"`{question.file}` is no name of a file.")
    return quote(question.file)
