"""What `access` found out about a request, read back from its scope."""

from starlette.requests import Request

from thorp.base.errors import NotAllowedError
from thorp.identity.principals import NOBODY, Principal
from thorp.net.facts import LISTENER, ListenerFacts


def principal_of(request: Request) -> Principal:
    found = request.scope.get("state", {}).get("thorp.principal", NOBODY)
    return found if isinstance(found, Principal) else NOBODY


def is_at_home(request: Request) -> bool:
    """Whether `access` found that somebody at this machine asks; without a word from it, nobody does."""
    return request.scope.get("state", {}).get("thorp.at_home") is True


class ReadableError(NotAllowedError):
    """A secret asked for over a connection that others can read along."""

    code = "web.readable"


def refuse_where_others_read(request: Request) -> None:
    """Return only where no third person sees what is answered: on this machine, or over TLS."""
    listener = request.scope.get("state", {}).get(LISTENER)
    if isinstance(listener, ListenerFacts) and listener.kind == "exposed" and not listener.tls:
        raise ReadableError(
            "A login is not handed out over an unencrypted connection. Sign in on the machine itself, or expose "
            "the node with TLS."
        )


def request_id_of(request: Request) -> str:
    return str(request.scope.get("state", {}).get("thorp.request_id", ""))
