"""Settings and exposure have their lines in the table."""

from thorp.web.routes.config import ROUTES
from thorp.wire.capabilities import every_capability


def test_every_capability_of_settings_and_exposure_has_its_line() -> None:
    named = {one.id for one in every_capability() if one.name.startswith(("config.", "exposure."))}
    assert {route.capability.id for route in ROUTES} == named
