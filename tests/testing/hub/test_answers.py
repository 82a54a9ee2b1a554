import json

from thorp.testing.hub.answers import Answer, Framing, closes, head_of, json_answer, phrase, redirect, refusal
from thorp.testing.hub.content import body_of, bytes_of


def test_a_head_states_the_length_of_its_body() -> None:
    assert head_of(Answer(200, (("A", "b"),), body_of(b"12345"))) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\n"
    )


def test_a_head_may_lie_or_say_nothing() -> None:
    lie = Answer(200, body=body_of(b"12345"), stated=9)
    assert b"Content-Length: 9\r\nConnection: close\r\n" in head_of(lie)
    assert b"Transfer-Encoding: chunked" in head_of(Answer(200, framing=Framing.CHUNKED))
    close = Answer(200, framing=Framing.CLOSE)
    assert b"Length" not in head_of(close)
    assert (closes(lie), closes(close), closes(Answer(200))) == (True, True, False)


def test_no_header_smuggles_a_line() -> None:
    assert b"X: a  Y: b\r\n" in head_of(Answer(200, (("X", "a\r\nY: b"),)))
    assert b"X: ?\r\n" in head_of(Answer(200, (("X", "\u2603"),)))


def test_headers_are_replaced_and_taken_away() -> None:
    answer = json_answer({}, ("ETag", "1"))
    assert answer.having("etag", "2").header("ETag") == "2"
    assert answer.having("etag", None).header("ETag") is None


def test_answers_of_all_kinds() -> None:
    assert json.loads(bytes_of(json_answer([1]).body)) == [1]
    moved = redirect(307, "/there", ("X", "y"))
    assert (moved.status, moved.header("Location"), moved.header("X")) == (307, "/there", "y")
    refused = refusal(404, "EntryNotFound", "Entry not found")
    assert (refused.header("X-Error-Code"), refused.header("X-Error-Message")) == ("EntryNotFound", "Entry not found")
    assert refusal(400, "", "no").header("X-Error-Code") is None
    assert (phrase(404), phrase(599)) == ("Not Found", "Whatever")
