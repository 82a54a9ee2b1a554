"""What can go wrong with a hub, each with its own sentence."""

from thorp.base.errors import IntegrityError, NetworkError, NotAllowedError, NotFoundError, TryAgainError


class HubOfflineError(NetworkError):
    """The hub is not asked: this node is told to stay offline, or there is no network."""

    code = "models.hub_offline"


class HubUnreachableError(NetworkError):
    """The hub does not answer."""

    code = "models.hub_unreachable"


class HubRateLimitedError(TryAgainError):
    """The hub wants fewer requests."""

    code = "models.hub_rate_limited"


class HubFailingError(NetworkError):
    """The hub answers that it is in trouble itself."""

    code = "models.hub_failing"


class BadHubAnswerError(NetworkError):
    """The hub's answer is not what it should be: a login page, a wrong range, no length."""

    code = "models.bad_hub_answer"


class NoRangesError(BadHubAnswerError):
    """The hub sends whole files only; a part was asked for."""

    code = "models.hub_no_ranges"


class GatedError(NotAllowedError):
    """The model's owners want their terms accepted first."""

    code = "models.gated"


class NoAccessError(NotAllowedError):
    """The hub refuses the token, or refuses without one."""

    code = "models.no_access"


class NoSuchRepoError(NotFoundError):
    """The hub knows no such repository, or shows it only to its members."""

    code = "models.no_such_repo"


class NoSuchRevisionError(NotFoundError):
    """The repository has no such revision."""

    code = "models.no_such_revision"


class NoSuchFileError(NotFoundError):
    """The revision has no such file."""

    code = "models.hub_no_such_file"


class ChangedUpstreamError(IntegrityError):
    """The hub's file is not the one it listed before."""

    code = "models.changed_upstream"
