"""How an answer and an error look on each face."""

from thorp.base.errors import NotFoundError, TryAgainError, UnauthenticatedError
from thorp.web.answers import error_answer, error_page, json_answer, page, said


def test_json_is_json() -> None:
    answer = json_answer({"a": 1}, 201)
    assert (answer.status_code, answer.body, answer.media_type) == (201, b'{"a":1}', "application/json")


def test_an_error_keeps_its_status_and_says_when_to_come_back() -> None:
    answer = error_answer(TryAgainError("Later."))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


def test_an_error_page_shows_the_message_and_no_markup_of_it() -> None:
    answer = error_page(NotFoundError("<script>alert(1)</script>"))
    assert answer.status_code == 404
    assert b"<script>" not in answer.body
    assert b"&lt;script&gt;" in answer.body


def test_whom_the_node_does_not_know_a_page_asks_to_sign_in_and_tells_nothing_of_keys() -> None:
    answer = error_page(UnauthenticatedError("/plain/status needs a key. Send `Authorization: Bearer <key>`."))
    shown = bytes(answer.body)
    assert answer.status_code == 401
    assert b"you have to sign in" in shown
    assert b'href="/plain/claim"' in shown
    assert not any(word in shown for word in (b"Authorization", b"Bearer", b"key"))


def test_no_face_tells_in_which_folder_it_went_wrong() -> None:
    lost = NotFoundError("`/srv/ann/thorp.db` is gone.", path="/srv/ann/thorp.db")
    for answer in (error_answer(lost), error_page(lost)):
        assert b"thorp.db" in answer.body
        assert b"/srv" not in answer.body


def test_a_title_is_text() -> None:
    assert b"<b>" not in page("<b>", "").body


def test_what_stands_in_backticks_is_shown_as_exact_and_stays_text() -> None:
    assert said("run `thorp up <b>`, & see") == "run <code>thorp up &lt;b&gt;</code>, &amp; see"


def test_a_form_of_a_page_says_where_it_comes_from() -> None:
    assert page("Sign in", "").headers["referrer-policy"] == "same-origin"
    assert error_page(NotFoundError("No.")).headers["referrer-policy"] == "same-origin"
