"""The one function that says who is calling. An address grants nothing but keyless inference; a name never anything."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from thorp.access.credentials import OWNER_ID, Credential, CredentialKind, proves
from thorp.access.keys import KeyRing, UnknownKeyError
from thorp.access.sessions import SessionBook
from thorp.base.errors import UnauthenticatedError
from thorp.identity.principals import NOBODY, Principal, keyed, local_process, owner


class NotHereError(UnauthenticatedError):
    """A credential that is not accepted on this listener."""

    code = "access.not_here"


class WrongOwnerTokenError(UnauthenticatedError):
    """An owner token of another start or another node."""

    code = "access.wrong_owner_token"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """Everything about a request that can matter for who sent it."""

    listener: Literal["local", "socket", "exposed", "mesh", "tracker"]
    tls: bool
    same_user: bool | None  # None: not known for sure
    at_home: bool  # on this machine, and our own user as far as the system can tell users apart
    forwarded: bool
    credential: Credential | None
    pages: bool = False  # whether one of the plain pages is asked for


@dataclass(frozen=True, slots=True)
class Known:
    """What a credential is compared with."""

    keys: KeyRing
    sessions: SessionBook
    owner_hash: bytes = field(repr=False)  # of the secret in this start's owner token
    open_inference: Callable[[], bool]


def is_at_home(facts: RequestFacts) -> bool:
    """Whether our own user asks, on this machine and directly, as far as the system can tell users apart."""
    return facts.at_home and facts.listener in ("local", "socket") and not facts.forwarded


def identify(facts: RequestFacts, known: Known) -> Principal:
    """Raises when a credential is shown that does not hold; it is never quietly replaced by what the place grants."""
    if facts.credential is None:
        return _by_place(facts, known.open_inference)
    try:
        return _by_credential(facts.credential, facts, known)
    except UnauthenticatedError:
        if facts.credential.ambient:
            # An old cookie must not shut the login page; it earns nothing, not even what its absence would.
            return NOBODY
        raise


def _by_place(facts: RequestFacts, open_inference: Callable[[], bool]) -> Principal:
    if facts.same_user is not True or facts.forwarded:
        return NOBODY
    match facts.listener:
        case "socket":
            return owner()
        case "local":
            return local_process() if open_inference() else NOBODY
        case "exposed" | "mesh" | "tracker":
            return NOBODY


def _by_credential(credential: Credential, facts: RequestFacts, known: Known) -> Principal:
    if facts.listener in ("mesh", "tracker"):
        raise NotHereError("This listener is for other nodes and takes no key and no login of this one.")
    match credential.kind:
        case CredentialKind.KEY:
            grant = known.keys.match(credential)
            return keyed(grant.id, grant.scopes, grant.models)
        case CredentialKind.SESSION | CredentialKind.PAGES:
            if credential.kind is CredentialKind.PAGES and not (credential.ambient and facts.pages):
                # Cookies know no ports: every server of this machine that the owner visits is sent this one.
                raise NotHereError("This login opens the plain pages and nothing else.")
            if facts.listener == "exposed" and not facts.tls:
                raise NotHereError("A login is not accepted over an unencrypted connection. Use TLS, or a key.")
            return owner(known.sessions.match(credential).id)
        case CredentialKind.OWNER:
            if facts.listener == "exposed":
                raise NotHereError("The owner token works on this machine only. From elsewhere, use a key.")
            if not proves(credential, known.owner_hash):
                raise WrongOwnerTokenError("This owner token is not of this start. `thorp token` prints the right one.")
            return owner(OWNER_ID)
        case CredentialKind.UNKNOWN:
            raise UnknownKeyError("This is no complete key; one looks like `thorp_<id>_<secret>`.")
