"""What `access` found out about a request, read back from its scope."""

import ipaddress
import re
from typing import Final

from starlette.requests import Request

from thorp.base.errors import NotAllowedError
from thorp.identity.principals import NOBODY, Principal
from thorp.net.facts import LISTENER, PEER, ListenerFacts, PeerFacts

PORT: Final = re.compile(r":[0-9]+$")


def principal_of(request: Request) -> Principal:
    found = request.scope.get("state", {}).get("thorp.principal", NOBODY)
    return found if isinstance(found, Principal) else NOBODY


class ReadableError(NotAllowedError):
    """A secret asked for over a connection that others can read along."""

    code = "web.readable"


class AnotherUserError(NotAllowedError):
    """A code shown by somebody else on this machine, who may have seen it among the arguments of a browser."""

    code = "web.another_user"


def check_sign_in(request: Request) -> None:
    """Return only where a code may be turned into a login: nobody reads along, and it is for certain no stranger's."""
    state = request.scope.get("state", {})
    listener, peer = state.get(LISTENER), state.get(PEER)
    if isinstance(peer, PeerFacts) and peer.stranger and names_this_machine(request.headers.get("host", "")):
        raise AnotherUserError("Codes of this node count only for the user who runs it. Open the page as that user.")
    if isinstance(listener, ListenerFacts) and listener.kind == "exposed" and not listener.tls:
        raise ReadableError(
            "A login is not handed out over an unencrypted connection. Sign in on the machine itself, or expose "
            "the node with TLS."
        )


def names_this_machine(host: str) -> bool:
    """Whether a Host header speaks of loopback. The owner's proxy, another user too, passes on another name."""
    name = host.rpartition(":")[0] if PORT.search(host) else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def request_id_of(request: Request) -> str:
    return str(request.scope.get("state", {}).get("thorp.request_id", ""))
