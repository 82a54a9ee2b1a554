"""The word a person probably meant."""

from thorp.base.nearest import did_you_mean, nearest


def test_a_slip_finds_its_word() -> None:
    assert nearest("local.prot", ["local.port", "local.host", "mesh.port"]) == "local.port"


def test_nothing_close_is_nothing() -> None:
    assert nearest("zzz", ["local.port"]) is None
    assert nearest("nope.nope", ["node.name", "local.port"]) is None
    assert did_you_mean("zzz", ["local.port"]) == ""
