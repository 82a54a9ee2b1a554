"""Settings and exposure over REST."""

from thorp.web.table import NounRoute, Route
from thorp.wire.capabilities.config import CONFIG_GET, CONFIG_RELOAD, CONFIG_SET, CONFIG_SHOW, CONFIG_UNSET
from thorp.wire.capabilities.exposure import EXPOSURE_CLOSE, EXPOSURE_OPEN

ROUTES: tuple[Route, ...] = (
    NounRoute("GET", "/api/v1/config", CONFIG_SHOW),
    NounRoute("POST", "/api/v1/config/reload", CONFIG_RELOAD),
    NounRoute("GET", "/api/v1/config/{key}", CONFIG_GET),
    NounRoute("PUT", "/api/v1/config/{key}", CONFIG_SET),
    NounRoute("DELETE", "/api/v1/config/{key}", CONFIG_UNSET),
    NounRoute("POST", "/api/v1/exposure", EXPOSURE_OPEN, status=201),
    NounRoute("DELETE", "/api/v1/exposure", EXPOSURE_CLOSE),
)
