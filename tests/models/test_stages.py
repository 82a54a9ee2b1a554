"""The stages of a pull have names that can be said to another process."""

from thorp.models.stages import Stage, unwatched


def test_every_stage_has_a_name_of_its_own_in_plain_words() -> None:
    assert len({one.value for one in Stage}) == len(Stage)
    assert all(one.value == one.name.lower().replace("_", " ") for one in Stage)
    assert [Stage(one.value) for one in Stage] == list(Stage)


def test_nobody_has_to_watch() -> None:
    assert [unwatched(one) for one in Stage] == [None] * len(Stage)
