"""Every kind of change is declared once and can be selected by its kind."""

import re

from thorp.wire.changes import EVERY_CHANGE, Change


def test_every_change_is_in_the_list_with_a_kind_of_its_own() -> None:
    assert set(Change.__subclasses__()) == set(EVERY_CHANGE)
    kinds = [one.kind for one in EVERY_CHANGE]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", kind) for kind in kinds)
