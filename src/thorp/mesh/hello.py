"""Who greeted this node and may go on: nonces that are good once, and the sessions that come of them.

All of it is in memory: a restart voids every nonce and every token. Nothing grows with the number of strangers.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from thorp.base.clock import Clock, Randomness
from thorp.base.errors import BusyError, NotAllowedError, ThorpError, UnauthenticatedError
from thorp.identity.ids import NodeId
from thorp.mesh.household import Household
from thorp.net.door import IPV6_HOUSEHOLD
from thorp.wire.hello import NONCE_SECONDS, SESSION_SECONDS, HelloAnswer, HelloNonce, HelloRequest, verify_hello
from thorp.wire.household import text_of_bytes

NONCE_BYTES: Final = 32
TOKEN_BYTES: Final = 32
MOST_NONCES: Final = 1024
SESSIONS_EACH: Final = 8
NEW_PER_SECOND: Final = 20.0
NEW_EACH: Final = 8.0  # of those, from one address
MOST_ADDRESSES: Final = 256


class NotKnownError(UnauthenticatedError):
    """Somebody who did not prove to be a member of this household."""

    code = "mesh.not_known"


class RemovedError(NotAllowedError):
    """A node that proved its key and was removed from this household."""

    code = "mesh.removed"
    fault = "revoked"


class TooManyHellosError(BusyError):
    """More greetings than a node answers."""

    code = "mesh.too_many_hellos"


def not_known() -> NotKnownError:
    """The one sentence for everybody who is not known, whatever the reason."""
    return NotKnownError("Only members of this household are answered here.")


@dataclass(frozen=True, slots=True)
class Session:
    node: NodeId
    until: float  # monotonic
    mesh_port: int
    swarm_port: int


class Doorbell:
    """How often one may ring: from one address, and strangers in all. Looked at before anything is computed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = (NEW_PER_SECOND, 0.0)
        self._each: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._neighbours: dict[str, tuple[float, float]] = {}

    def ring(self, address: str, neighbours: Collection[str] = ()) -> None:
        """Return if one more is answered now. At addresses of neighbours, strangers take nothing away."""
        now, address = self._clock.monotonic(), household_of(address)
        if address in (here := {household_of(one) for one in neighbours}):
            self._neighbours = {one: bucket for one, bucket in self._neighbours.items() if one in here}
            left = _left(self._neighbours.get(address, (NEW_EACH, now)), NEW_EACH, now)
            self._neighbours[address] = (left - (left >= 1), now)
            _refuse_unless(left >= 1)
            return
        all_left = _left(self._all, NEW_PER_SECOND, now)
        own_left = _left(self._each.pop(address, (NEW_EACH, now)), NEW_EACH, now)
        rings = all_left >= 1 and own_left >= 1
        self._all = (all_left - rings, now)
        self._each[address] = (own_left - rings, now)
        if len(self._each) > MOST_ADDRESSES:
            self._each.popitem(last=False)
        _refuse_unless(rings)


def household_of(address: str) -> str:
    """Whom an address is counted under: one house commonly holds a whole /64."""
    try:
        there = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(there, ipaddress.IPv4Address):
        return str(there)
    if there.ipv4_mapped is not None:
        return str(there.ipv4_mapped)
    return str(ipaddress.ip_network((there, IPV6_HOUSEHOLD), strict=False))


def _refuse_unless(rings: bool) -> None:
    if not rings:
        raise TooManyHellosError("Too many greetings at once; try again shortly.", retry_after=1.0)


def _left(bucket: tuple[float, float], rate: float, now: float) -> float:
    tokens, at = bucket
    return min(rate, tokens + max(0.0, now - at) * rate)


class Sessions:
    """Tokens by node. Belongs to the loop."""

    def __init__(self, household: Household, clock: Clock, randomness: Randomness) -> None:
        self._household = household
        self._clock = clock
        self._randomness = randomness
        self._nonces: OrderedDict[str, float] = OrderedDict()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def nonce(self) -> HelloNonce:
        made = text_of_bytes(self._randomness.bytes(NONCE_BYTES))
        self._nonces[made] = self._clock.monotonic() + NONCE_SECONDS
        while len(self._nonces) > MOST_NONCES:
            self._nonces.popitem(last=False)
        return HelloNonce(nonce=made)

    def greet(self, body: bytes, swarm_port: int) -> tuple[HelloAnswer, Session]:
        """A session for a member, one sentence for everybody else. Only a removed one, its key proven, is told so."""
        try:
            request = HelloRequest.model_validate_json(body)
            if not self._is_fresh(request.nonce) or request.community != self._household.community:
                raise not_known()
            node = verify_hello(request, self._household.me)
        except (ValidationError, ThorpError):
            raise not_known() from None
        roster = self._household.standing.roster
        if node in roster.removed:
            raise RemovedError("This node was removed from the household by its founder.")
        if not self._household.is_member(node):
            raise not_known()
        token, session = self._open(node, request)
        answer = HelloAnswer(
            token=token, seconds=SESSION_SECONDS, version=roster.version, epoch=roster.epoch, swarm_port=swarm_port
        )
        return answer, session

    def find(self, token: str) -> Session:
        """Whose token this is. Membership is asked for each time, so that no session outlives it."""
        session = self._sessions.get(_digest(token))
        if session is None or self._clock.monotonic() >= session.until or not self._household.is_member(session.node):
            raise not_known()
        return session

    def drop(self, node: NodeId) -> None:
        for digest in [digest for digest, one in self._sessions.items() if one.node == node]:
            del self._sessions[digest]

    def _is_fresh(self, nonce: str) -> bool:
        """Whether we gave it out, lately, and nobody used it yet. Asking uses it up."""
        return self._clock.monotonic() < self._nonces.pop(nonce, 0.0)

    def _open(self, node: NodeId, request: HelloRequest) -> tuple[str, Session]:
        mine = [digest for digest, one in self._sessions.items() if one.node == node]
        for digest in mine[: max(0, len(mine) - SESSIONS_EACH + 1)]:
            del self._sessions[digest]
        token = text_of_bytes(self._randomness.bytes(TOKEN_BYTES))
        until = self._clock.monotonic() + SESSION_SECONDS
        session = Session(node, until, request.mesh_port, request.swarm_port)
        self._sessions[_digest(token)] = session
        return token, session


def _digest(token: str) -> bytes:
    """Tokens are kept and looked up as hashes, so that no comparison tells how near a guess was."""
    return hashlib.sha256(token.encode()).digest()
