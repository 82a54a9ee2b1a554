"""The one format of everything secret a caller can show, and the one reader of every header that can carry it.

`thorp_<id>_<secret>`: the id names the grant, the secret proves it. It is kept only as a SHA-256. A string without the
prefix counts as no credential at all, because client libraries insist on sending one.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from thorp.base.clock import Randomness
from thorp.base.errors import UsageError

PREFIX: Final = "thorp_"
COOKIE: Final = "thorp_session"
CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
ID_CHARACTERS: Final = 8
SECRET_BYTES: Final = 32
OWNER_ID: Final = "o"

SHAPE: Final = re.compile(rf"{PREFIX}({OWNER_ID}|[ksp][{CROCKFORD}]{{{ID_CHARACTERS}}})_([A-Za-z0-9_-]{{43}})")

Headers = Iterable[tuple[bytes, bytes]]


class TwoCredentialsError(UsageError):
    """One request that shows two different credentials."""

    code = "access.two_credentials"


class CredentialKind(StrEnum):
    KEY = "k"
    SESSION = "s"
    PAGES = "p"  # a login of the plain pages: a cookie there, and nothing anywhere else
    OWNER = OWNER_ID
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Credential:
    kind: CredentialKind
    id: str
    secret: str = field(repr=False)
    ambient: bool = field(default=False, compare=False)  # a cookie: the browser sent it, nobody asked it to


def parse(text: str, *, ambient: bool = False) -> Credential | None:
    """None: no credential of ours. Malformed: of an unknown kind, so that it is refused and not overlooked."""
    if not text.startswith(PREFIX):
        return None
    if found := SHAPE.fullmatch(text):
        return Credential(CredentialKind(found[1][0]), found[1], found[2], ambient)
    return Credential(CredentialKind.UNKNOWN, "", text, ambient)


def read_credentials(headers: Headers) -> Credential | None:
    """What the caller shows, in whichever header; the same one twice is one.

    A cookie counts only where nothing is shown on purpose: cookies know no ports, so any page of this machine can plant
    one, and must not lock out who shows a key.
    """
    shown = [credential for credential in _shown(headers) if credential]
    counts = [credential for credential in shown if not credential.ambient] or shown
    if len(set(counts)) > 1:
        raise TwoCredentialsError("This request shows two different credentials. Send one of them.")
    return counts[0] if counts else None


def _shown(headers: Headers) -> Iterator[Credential | None]:
    for name, raw in headers:
        value = raw.decode("latin-1").strip()
        if name == b"authorization":
            yield parse(_authorization(value))
        elif name == b"x-api-key":
            yield parse(value)
        elif name == b"cookie":
            yield from (parse(one, ambient=True) for one in _cookies(value))


def _authorization(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            return _basic_password(rest.strip())
        case _:
            return value


def _basic_password(encoded: str) -> str:
    """The part after the first colon; the user's name does not matter."""
    try:
        return base64.b64decode(encoded, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _cookies(value: str) -> Iterator[str]:
    for pair in value.split(";"):
        name, _, content = pair.strip().partition("=")
        if name == COOKIE:
            yield content.strip('"')


def crockford(randomness: Randomness, count: int) -> str:
    """Random characters that survive being read aloud."""
    return "".join(CROCKFORD[randomness.below(len(CROCKFORD))] for _ in range(count))


def new_id(kind: CredentialKind, randomness: Randomness) -> str:
    return kind.value + crockford(randomness, ID_CHARACTERS)


def new_secret(randomness: Randomness) -> str:
    return base64.urlsafe_b64encode(randomness.bytes(SECRET_BYTES)).rstrip(b"=").decode("ascii")


def written(credential_id: str, secret: str) -> str:
    """The credential as its holder keeps it."""
    return f"{PREFIX}{credential_id}_{secret}"


def new_owner_token(randomness: Randomness) -> tuple[str, bytes]:
    """The text of `run/owner.token`, and the hash it is known by."""
    secret = new_secret(randomness)
    return written(OWNER_ID, secret), hash_of(secret)


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def proves(credential: Credential, secret_hash: bytes) -> bool:
    """Whether this is the secret behind the hash; takes the same time whatever the answer."""
    return hmac.compare_digest(hash_of(credential.secret), secret_hash)
