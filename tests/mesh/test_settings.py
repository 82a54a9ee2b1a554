import pytest

from thorp.base.settings import fields_of
from thorp.mesh.settings import LanSettings, is_interface


def test_no_key_decides_whether_and_where_this_node_is_heard() -> None:
    fields = {one.key: one for one in fields_of(LanSettings, "lan.")}

    assert set(fields) == {"lan.enabled", "lan.interfaces"}
    assert all(one.owner for one in fields.values())
    assert fields["lan.enabled"].live


@pytest.mark.parametrize(
    ("name", "fits"), [("eth0", True), ("br-1a2b", True), ("", False), ("a/b", False), ("x" * 16, False)]
)
def test_an_interface_has_a_name(name: str, fits: bool) -> None:
    assert is_interface(name) is fits
