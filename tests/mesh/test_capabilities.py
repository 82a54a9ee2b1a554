from types import SimpleNamespace

from thorp.mesh.capabilities import offers
from thorp.wire.capabilities import every_capability


def test_every_capability_of_the_household_is_offered() -> None:
    names = ("status", "peers", "invite", "join", "remove", "heads", "torrent")
    offered = offers(SimpleNamespace(**dict.fromkeys(names, print)))

    assert {one.capability.id for one in offered} == {
        one.id for one in every_capability() if one.name.startswith("lan.")
    }
