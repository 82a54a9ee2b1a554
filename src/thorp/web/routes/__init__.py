"""Every route of the web face, feature by feature."""

from thorp.web.routes import access, calls, config, models, node, plain, probes
from thorp.web.table import Route

EVERY_ROUTE: tuple[Route, ...] = (
    *probes.ROUTES,
    *node.ROUTES,
    *calls.ROUTES,
    *access.ROUTES,
    *config.ROUTES,
    *models.ROUTES,
    *plain.ROUTES,
)
