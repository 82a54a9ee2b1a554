import asyncio

import orjson
import pytest

from thorp.base.errors import TryAgainError, UnauthenticatedError, UsageError
from thorp.net.answers import SECURITY_HEADERS, last_words, refusal, send_refusal


def test_a_refusal_is_the_envelope_with_the_headers_of_every_answer():
    answer = refusal(UsageError("No.", field="x"))
    headers = dict(answer.headers)
    assert orjson.loads(answer.body)["error"]["message"] == "No."
    assert orjson.loads(answer.body)["error"]["details"] == {"field": "x"}
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store"
    assert headers.items() >= dict(SECURITY_HEADERS).items()
    assert headers[b"content-length"] == str(len(answer.body)).encode()


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (TryAgainError("Later.", retry_after=1.2), (b"retry-after", b"2")),
        (UnauthenticatedError("Who?"), (b"www-authenticate", b'Bearer realm="thorp"')),
    ],
)
def test_a_refusal_says_what_to_do(error, header):
    assert header in refusal(error).headers


def test_last_words_are_a_whole_answer_that_ends_the_connection():
    head, _, body = last_words(UsageError("No.")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nconnection: close" in head
    assert f"content-length: {len(body)}".encode() in head
    assert b"\n" not in head.replace(b"\r\n", b"")


def test_what_json_does_not_know_is_told_as_text():
    assert orjson.loads(refusal(UsageError("No.", what={1, 2} - {2})).body)["error"]["details"] == {"what": "{1}"}


def test_a_refusal_is_sent_as_an_application_would():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(send_refusal(send, UsageError("No.")))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 400
