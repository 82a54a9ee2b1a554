"""What `access` found out about a request, read back from its scope."""

from starlette.requests import Request

from thorp.identity.principals import NOBODY, Principal


def principal_of(request: Request) -> Principal:
    found = request.scope.get("state", {}).get("thorp.principal", NOBODY)
    return found if isinstance(found, Principal) else NOBODY


def request_id_of(request: Request) -> str:
    return str(request.scope.get("state", {}).get("thorp.request_id", ""))
