"""What a service is made of."""

from thorp.base.service import Restart, ServiceSpec


def test_a_service_restarts_unless_it_says_otherwise() -> None:
    assert ServiceSpec("store", 10).restart is Restart.ON_FAILURE
