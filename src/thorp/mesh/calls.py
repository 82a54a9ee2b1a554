"""Asking a neighbour: over a line that is pinned to its key, with a session that this node's own signature opened.

Blocks, and belongs into threads. A token goes to the node that gave it and to nobody else.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import IntegrityError, NetworkError, ThorpError
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.mesh.household import Household
from thorp.mesh.joining import Joiner
from thorp.mesh.ports import Answered, Connection, Incoming, Place
from thorp.mesh.replies import UNAUTHENTICATED, UNCHANGED, NeighbourRefusedError, NotGreetedError, good_body, read_reply
from thorp.net.mesh_line import NeighbourSlowError, NotGivenError, Target, open_line
from thorp.net.outward_errors import OutwardStoppedError
from thorp.net.outward_line import Stop
from thorp.wire.announce import LanKey
from thorp.wire.hello import HelloAnswer, HelloNonce, sign_hello
from thorp.wire.household import HouseholdAnswer, SignedRoster, fit_name
from thorp.wire.invites import Invite, split_endpoint
from thorp.wire.shared import LARGEST_LIST, BadListError, SharedList, read_shared_list

Opener = Callable[[Target, Stop | None], Connection]

HELLO: Final = "/mesh/v1/hello"
LARGEST_WORD: Final = 16 * 1024
LARGEST_HOUSEHOLD: Final = 128 * 1024
LARGEST_TORRENT: Final = 6 * 1024 * 1024
GREETING_SECONDS: Final = 10.0
WHOLE_SECONDS: Final = 15.0  # for connecting, greeting and asking together, with everything that is tried twice
HEARD_AGAIN_AFTER: Final = 30.0  # while bytes come, whoever sends them is told of so often
MOST_TOKENS: Final = 128
SPARE: Final = 30.0  # seconds before its end a token is not used any more


def opener(clock: Clock) -> Opener:
    """Real lines, one for each question."""

    def opened(target: Target, stop: Stop | None) -> Connection:
        return open_line(target, clock=clock, stop=stop)

    return opened


class NobodyThereError(NetworkError):
    """None of the places an invite names led to the node that made it."""

    code = "invites.nobody_there"


@dataclass(frozen=True, slots=True)
class Met:
    """A member that proved its key when this node called it."""

    node: NodeId
    address: str
    mesh_port: int
    swarm_port: int
    version: int  # of the roster it has
    greeted: bool = True  # just now; False: it answered again, and swarm port and version are what it said before


@dataclass(frozen=True, slots=True)
class Deadline:
    """A stop that comes by itself."""

    clock: Clock
    at: float  # monotonic
    stops: tuple[Stop, ...] = ()  # may come before

    def told(self) -> bool:
        return any(one.is_set() for one in self.stops)

    def is_set(self) -> bool:
        return self.told() or self.clock.monotonic() >= self.at


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    until: float  # monotonic
    met: Met


class Tokens:
    """Sessions that neighbours gave this node. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: OrderedDict[NodeId, _Token] = OrderedDict()

    def of(self, node: NodeId) -> str:
        """The token for a node; empty when there is none that holds."""
        with self._lock:
            token = self._tokens.get(node)
            return token.text if token and self._clock.monotonic() < token.until else ""

    def met(self, node: NodeId) -> Met | None:
        """What the node said when it gave its token, however long ago."""
        with self._lock:
            token = self._tokens.get(node)
            return token.met if token else None

    def keep(self, met: Met, text: str, seconds: float) -> None:
        with self._lock:
            self._tokens[met.node] = _Token(text, self._clock.monotonic() + seconds - SPARE, met)
            self._tokens.move_to_end(met.node)
            while len(self._tokens) > MOST_TOKENS:
                self._tokens.popitem(last=False)

    def drop(self, node: NodeId) -> None:
        with self._lock:
            self._tokens.pop(node, None)


@dataclass(eq=False)
class Neighbourhood:
    """`met` is called in the thread that asks; whoever lives in the loop hands it over there.

    While `over` is set questions break off: the end of a node waits for nobody who does not answer.
    """

    key: NodeKey
    household_here: Household
    place: Place
    opened: Opener
    _: KW_ONLY
    clock: Clock
    randomness: Randomness
    met: Callable[[Met], None]
    refused: Callable[[NodeId, Target], None] = lambda _node, _target: None  # a member does not greet us
    over: threading.Event = field(init=False, default_factory=threading.Event)
    _tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = Tokens(self.clock)

    def household(self, target: Target) -> HouseholdAnswer:
        """The roster it has, and the secret. Whether to believe them is not judged here."""
        return read_reply(self._asked(target, "/mesh/v1/household", LARGEST_HOUSEHOLD), HouseholdAnswer)

    def models(self, target: Target, have: str = "", stop: Stop | None = None) -> SharedList | None:
        """What it shows of its library. None: the list whose digest we `have`, still."""
        tag = f'"{have}"' if have else ""
        reply = self._asked(target, "/mesh/v1/models", LARGEST_LIST, stop=stop, tag=tag)
        if have and reply.status == UNCHANGED:
            return None
        shared = read_shared_list(good_body(reply))
        if shared.node not in target.expected:
            raise BadListError("A neighbour sent a list that is not its own; it is not read.")
        return shared

    def torrent(self, target: Target, infohash: str) -> bytes:
        """The bytes of a `.torrent`, unproven."""
        return good_body(self._asked(target, f"/mesh/v1/torrents/{infohash}", LARGEST_TORRENT))

    @contextmanager
    def file(self, target: Target, sha256: str, first: int, end: int, stop: Stop | None = None) -> Generator[Incoming]:
        """The bytes from `first` up to but not including `end`, unproven."""
        with ExitStack() as stack:
            try:
                incoming = stack.enter_context(self._reading(target, sha256, first, end, stop))
            except NotGivenError as error:
                if error.answered != UNAUTHENTICATED:
                    raise
                self._forget_all_of(target)
                incoming = stack.enter_context(self._reading(target, sha256, first, end, stop))
            yield incoming

    def join(self, invite: Invite) -> tuple[SignedRoster, LanKey]:
        """Ask whoever made the invite, at one place after the other, to be let in."""
        joiner = Joiner(self.key, fit_name(self.place.name()), self.randomness)
        trouble: ThorpError | None = None
        for endpoint in invite.endpoints:
            address, port = split_endpoint(endpoint)
            try:
                with closing(self.opened(Target(address, port, frozenset({invite.node})), self.over)) as line:
                    welcome, lan = joiner.join(line, invite)
                    return welcome.household, lan
            except (NetworkError, IntegrityError) as error:
                trouble = error
        why = trouble.message if trouble else "The invite names no place."
        raise NobodyThereError(
            f"Whoever made this invite was not found in this network. {why} "
            "Are both machines in the same network, and is the other node running?"
        )

    def _asked(self, target: Target, path: str, largest: int, *, stop: Stop | None = None, tag: str = "") -> Answered:
        """The answer to a member's question. One deadline holds for everything that it takes."""
        stops = (self.over,) if stop is None else (self.over, stop)
        until = Deadline(self.clock, self.clock.monotonic() + WHOLE_SECONDS, stops)

        def ask(line: Connection, token: str) -> Answered:
            return line.ask("GET", path, token=token, largest=largest, seconds=WHOLE_SECONDS, if_none_match=tag)

        try:
            return self._answered(target, ask, until)
        except OutwardStoppedError:
            if until.told():
                raise
            who = target.origin.netloc
            raise NeighbourSlowError(f"`{who}` did not give what it was asked for in {WHOLE_SECONDS:g} s.") from None

    def _answered(self, target: Target, ask: Callable[[Connection, str], Answered], stop: Stop) -> Answered:
        """A token that does not hold any more is replaced, once."""
        for last in (False, True):
            with closing(self.opened(target, stop)) as line:
                reply = ask(line, self._token(line, target))
                if reply.status != UNAUTHENTICATED:
                    self._heard(line.node, target)
                    return reply
                if last:
                    return reply
                self._tokens.drop(line.node)
        raise NotGreetedError("A neighbour does not keep the session it gave.")

    @contextmanager
    def _reading(self, target: Target, sha256: str, first: int, end: int, stop: Stop | None) -> Generator[Incoming]:
        with closing(self.opened(target, stop)) as line:
            token = self._token(line, target)
            with line.read(f"/mesh/v1/files/{sha256}", token=token, first=first, end=end) as incoming:
                yield _Audible(incoming, self.clock, lambda: self._heard(line.node, target))

    def _heard(self, node: NodeId, target: Target) -> None:
        """It answered a member's question, so it is there as much as if it had been greeted."""
        if (met := self._tokens.met(node)) is not None:
            self.met(replace(met, address=target.address, mesh_port=target.port, greeted=False))

    def _forget_all_of(self, target: Target) -> None:
        for node in target.expected:
            self._tokens.drop(node)

    def _token(self, line: Connection, target: Target) -> str:
        if not (token := self._tokens.of(line.node)):
            self._greet(line, target)
            token = self._tokens.of(line.node)
        return token

    def _greet(self, line: Connection, target: Target) -> None:
        nonce = read_reply(line.ask("GET", HELLO, largest=LARGEST_WORD, seconds=GREETING_SECONDS), HelloNonce).nonce
        place = self.place
        request = sign_hello(
            self.key,
            line.node,
            self.household_here.community,
            nonce,
            mesh_port=place.mesh_port(),
            swarm_port=place.swarm_port(),
        )
        body = request.model_dump_json().encode()
        reply = line.ask("POST", HELLO, body=body, largest=LARGEST_WORD, seconds=GREETING_SECONDS)
        try:
            answer = read_reply(reply, HelloAnswer)
        except NeighbourRefusedError:
            self.refused(line.node, target)
            raise
        met = Met(line.node, target.address, target.port, answer.swarm_port, answer.version)
        self._tokens.keep(met, answer.token, answer.seconds)
        self.met(met)


class _Audible:
    """Bytes that come, and say now and then who sends them: one file may take longer than a neighbour counts."""

    def __init__(self, incoming: Incoming, clock: Clock, heard: Callable[[], None]) -> None:
        self._incoming = incoming
        self._clock = clock
        self._heard = heard
        self._again_at = clock.monotonic()

    def readinto(self, buffer: memoryview) -> int:
        count = self._incoming.readinto(buffer)
        if (now := self._clock.monotonic()) >= self._again_at:
            self._again_at = now + HEARD_AGAIN_AFTER
            self._heard()
        return count
