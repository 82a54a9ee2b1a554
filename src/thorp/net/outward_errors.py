"""What can go wrong on the way out. Messages name a host, never a whole URL: a signed one is a key by itself."""

from enum import StrEnum

from thorp.base.errors import NetworkError, NotAllowedError, TryAgainError


class EgressRefusedError(NotAllowedError):
    """A place this node does not send requests to."""

    code = "net.egress_refused"


class Reason(StrEnum):
    """Why nobody could be reached; `details["reason"]` of an OutwardUnreachableError."""

    NO_NETWORK = "no_network"
    NO_SUCH_NAME = "no_such_name"
    NO_ANSWER = "no_answer"
    BROKEN = "broken"


class OutwardUnreachableError(NetworkError):
    """Nobody answers there, or the line broke."""

    code = "net.outward_unreachable"


class OutwardStalledError(NetworkError):
    """The other side took the request and then sent nothing for too long."""

    code = "net.outward_stalled"


class OutwardBadAnswerError(NetworkError):
    """What came back is not the answer that was asked for."""

    code = "net.outward_bad_answer"


class OutwardUntrustedError(NetworkError):
    """The other side cannot prove that it is who it should be."""

    code = "net.outward_untrusted"


class OutwardStoppedError(TryAgainError):
    """Somebody on this node ended the request."""

    code = "net.outward_stopped"
