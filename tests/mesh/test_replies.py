import orjson
import pytest

from thorp.base.errors import BusyError, InternalError, NotFoundError, ThorpError, TryAgainError, UnauthenticatedError
from thorp.mesh.replies import (
    LONGEST_WORDS,
    BadReplyError,
    NeighbourBusyError,
    NeighbourRefusedError,
    NotGreetedError,
    NotThereError,
    good_body,
    read_reply,
)
from thorp.testing.mesh import FakeReply
from thorp.wire.envelope import error_body
from thorp.wire.hello import HelloNonce
from thorp.wire.household import text_of_bytes


def refused(error: ThorpError) -> FakeReply:
    return FakeReply(error.status, {}, orjson.dumps(error_body(error)))


def test_a_good_answer_is_read() -> None:
    nonce = text_of_bytes(bytes(32))

    assert read_reply(FakeReply(200, {}, orjson.dumps({"nonce": nonce})), HelloNonce).nonce == nonce


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"nonce":1}', b'{"nonce":"x","more":1}'])
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadReplyError):
        read_reply(FakeReply(200, {}, body), HelloNonce)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (UnauthenticatedError, NotGreetedError),
        (NotFoundError, NotThereError),
        (BusyError, NeighbourBusyError),
        (TryAgainError, NeighbourBusyError),
        (InternalError, NeighbourRefusedError),
    ],
)
def test_a_refusal_keeps_its_words(theirs: type[ThorpError], ours: type[ThorpError]) -> None:
    with pytest.raises(ours, match="Not on a Sunday") as raised:
        good_body(refused(theirs("Not on a Sunday.")))
    assert raised.value.details["said"] == theirs.code


def test_the_words_of_others_are_short_and_do_not_move_the_cursor() -> None:
    with pytest.raises(NeighbourRefusedError) as raised:
        good_body(refused(InternalError("\x1b[2J\n" + "x" * 10_000)))

    assert "\x1b" not in raised.value.message
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < LONGEST_WORDS + 100


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"error":1}', b'{"error":{"code":1,"message":[]}}', b"[" * 99])
def test_a_refusal_without_words_is_one_too(body: bytes) -> None:
    with pytest.raises(NeighbourRefusedError, match="HTTP 418"):
        good_body(FakeReply(418, {}, body))
