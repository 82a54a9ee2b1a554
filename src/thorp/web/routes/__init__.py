"""Every route of the web face, feature by feature."""

from thorp.web.routes import access, calls, config, node, plain, probes
from thorp.web.table import Route

EVERY_ROUTE: tuple[Route, ...] = (
    *probes.ROUTES,
    *node.ROUTES,
    *calls.ROUTES,
    *access.ROUTES,
    *config.ROUTES,
    *plain.ROUTES,
)
