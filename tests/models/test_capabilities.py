import asyncio
from pathlib import Path

import pytest

from tests.models.world import opened
from thorp.base.errors import NotAllowedError
from thorp.identity.principals import keyed
from thorp.identity.scopes import EVERY_SCOPE, Scope
from thorp.testing.hub import FakeHub
from thorp.wire.capabilities import every_capability, hub, models, publishing, sharing, transfers
from thorp.wire.capability import Capability

AREAS = (hub, models, publishing, sharing, transfers)
DECLARED = {one.id: one for area in AREAS for one in vars(area).values() if isinstance(one, Capability)}


def test_everything_declared_is_offered_and_listed(tmp_path: Path) -> None:
    async def story() -> set[str]:
        async with opened(tmp_path, FakeHub(port=1)) as world:
            assert all(one.listed for one in world.bus.entries)
            return {one.capability.id for one in world.bus.entries}

    assert asyncio.run(story()) == set(DECLARED) <= {one.id for one in every_capability()}


def test_no_other_node_may_call_any_of_it() -> None:
    assert not [one.id for one in DECLARED.values() if one.mesh]


@pytest.mark.parametrize("capability", DECLARED.values(), ids=DECLARED)
def test_a_key_needs_the_scope_that_the_declaration_names(tmp_path: Path, capability: Capability) -> None:
    async def story() -> None:
        async with opened(tmp_path, FakeHub(port=1)) as world:
            without = keyed("k", frozenset(EVERY_SCOPE) - {capability.scope})
            with pytest.raises(NotAllowedError):
                await world.ask(capability.name, without)

    assert capability.scope in (None, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.TRANSFERS_WRITE)
    asyncio.run(story())
