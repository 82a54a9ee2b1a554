"""Declarations are found where they stand."""

from thorp.wire.capabilities import every_capability, node


def test_every_area_is_found_and_sorted() -> None:
    found = every_capability()
    assert node.NODE_INFO in found
    assert [one.id for one in found] == sorted(one.id for one in found)
    assert {"node", "keys", "config", "exposure", "login", "sessions"} <= {one.name.partition(".")[0] for one in found}
