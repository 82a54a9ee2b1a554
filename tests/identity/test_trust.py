from thorp.identity.trust import Trust


def test_the_ladder_is_frozen() -> None:
    assert [(rung.word, int(rung)) for rung in sorted(Trust)] == [
        ("unknown", 0),
        ("member", 1),
        ("trusted", 2),
        ("anchor", 3),
        ("owner", 4),
    ]


def test_the_owner_stands_above_every_node() -> None:
    assert all(rung < Trust.OWNER for rung in Trust if rung is not Trust.OWNER)
