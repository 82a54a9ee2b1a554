from thorp.mesh.index_types import Circle


def test_a_household_of_one_is_alone_and_so_is_one_nobody_told_of() -> None:
    assert Circle({}, 1).is_alone
    assert Circle({}, 1, {"ed25519:a": "attic"}).is_alone
    assert not Circle({}, 1, {"ed25519:a": "attic", "ed25519:b": "barn"}).is_alone
