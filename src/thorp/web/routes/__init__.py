"""Every route of the web face, feature by feature."""

from thorp.web.routes import access, calls, config, lan, models, node, plain, probes, sharing
from thorp.web.table import Route

EVERY_ROUTE: tuple[Route, ...] = (
    *probes.ROUTES,
    *node.ROUTES,
    *calls.ROUTES,
    *access.ROUTES,
    *config.ROUTES,
    *lan.ROUTES,
    *sharing.ROUTES,
    *models.ROUTES,
    *plain.ROUTES,
)
