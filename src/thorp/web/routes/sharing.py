"""Sharing over REST, and health under the API's own prefix. They stand before the models' routes: refs hold slashes."""

from thorp.web.routes.probes import healthz
from thorp.web.table import OPEN, NounRoute, RawRoute, Route
from thorp.wire.capabilities.publishing import MODEL_SHARE, MODEL_UNSHARE

ROUTES: tuple[Route, ...] = (
    NounRoute("POST", "/api/v1/models/share", MODEL_SHARE),
    NounRoute("DELETE", "/api/v1/models/{ref:path}/share", MODEL_UNSHARE),
    RawRoute("GET", "/api/v1/health", OPEN, "Whether the process answers.", healthz),
)
