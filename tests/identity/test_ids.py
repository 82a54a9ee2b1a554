import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.identity.ids import BadNodeIdError, node_id_of, parse_node_id, public_key_of

PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
NODE_ID = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def test_the_spelling_is_frozen() -> None:
    assert node_id_of(PUBLIC) == NODE_ID
    assert public_key_of(NODE_ID) == PUBLIC
    assert node_id_of(bytes(32)) == "ed25519:" + "A" * 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:",
        NODE_ID.removeprefix("ed25519:"),
        "ED25519:" + NODE_ID[8:],
        NODE_ID + "=",
        NODE_ID + "A",
        NODE_ID[:-1],
        NODE_ID[:-1] + "p",  # the same bytes, with the spare bits set
        NODE_ID.replace("_", "/"),
        NODE_ID + "\n",
        " " + NODE_ID,
        "ed25519:" + NODE_ID,
        "ed25519:" + "é" * 43,
        "ed25519:" + "\ud800" * 43,
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(BadNodeIdError) as caught:
        parse_node_id(text)

    assert (caught.value.code, caught.value.status) == ("identity.bad_node_id", 400)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(BadNodeIdError) as caught:
        parse_node_id("x" * 10_000)

    assert len(caught.value.message) < 200


@given(st.binary(min_size=32, max_size=32))
def test_each_key_has_exactly_one_id(public: bytes) -> None:
    text = node_id_of(public)

    assert public_key_of(text) == public
    assert parse_node_id(text) == text
    assert len(text) == 51


@given(
    st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: "ed25519:" + base64.urlsafe_b64encode(raw).decode())
)
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        node_id = parse_node_id(text)
    except BadNodeIdError:
        return
    assert node_id == text
