"""From what was seen to what is told."""

import pytest

from thorp.base.service import ServiceState
from thorp.node.types import REACH, ServiceFacts, listener_row


@pytest.mark.parametrize("kind", sorted(REACH))
def test_every_listener_says_who_can_reach_it(kind: str) -> None:
    row = listener_row(kind, "somewhere", is_open=False)
    assert (row.kind, row.state, row.reach) == (kind, "closed", REACH[kind])


def test_a_service_row_tells_since_when() -> None:
    row = ServiceFacts("store", ServiceState.FAILED, 0.0, "no disk").row()
    assert (row.name, row.state, row.since, row.message) == ("store", "failed", "1970-01-01T00:00:00.000Z", "no disk")
