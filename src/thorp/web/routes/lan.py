"""The household over REST."""

from thorp.web.table import NounRoute, Route
from thorp.wire.capabilities.lan import LAN_INVITE, LAN_JOIN, LAN_PEERS, LAN_REMOVE, LAN_STATUS

ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/lan", LAN_STATUS),
    NounRoute("GET", "/api/v1/lan/peers", LAN_PEERS),
    NounRoute("POST", "/api/v1/lan/invites", LAN_INVITE, status=201),
    NounRoute("POST", "/api/v1/lan/join", LAN_JOIN),
    NounRoute("DELETE", "/api/v1/lan/members/{node}", LAN_REMOVE),
)
