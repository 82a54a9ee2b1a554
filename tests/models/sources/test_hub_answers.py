import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.sources.hub_answers import LONGEST_WAIT, Question, check_identity, check_range, judge, wait_of
from thorp.models.sources.hub_errors import (
    BadHubAnswerError,
    ChangedUpstreamError,
    GatedError,
    HubFailingError,
    HubRateLimitedError,
    NoAccessError,
    NoRangesError,
    NoSuchFileError,
    NoSuchRepoError,
    NoSuchRevisionError,
)
from thorp.models.types import RemoteFile
from thorp.net.egress import Origin
from thorp.net.outward import Hop

NOW = 1_750_000_000.0  # Sun, 15 Jun 2025 15:06:40 GMT
FILE = RemoteFile("x.gguf", 100, "e" * 64, "e" * 64)
ASKED = Question("https://hub.example", "org/repo", "c" * 40, "x.gguf")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "9" * 400}, LONGEST_WAIT),
        ({"retry-after": "Sun, 15 Jun 2025 15:07:40 GMT"}, 60.0),
        ({"retry-after": "Sun, 15 Jun 2025 15:07:40 +0000"}, 60.0),
        ({"retry-after": "Sun, 15 Jun 2025 15:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_WAIT),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "\u0665"}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=10;t=55'}, None),
        ({"retry-after": "soon", "ratelimit": '"api";r=0;t=55'}, 55.0),
    ],
)
def test_B30_how_long_to_wait_is_read_from_seconds_and_dates(headers, seconds):
    assert wait_of(headers, NOW) == seconds


@given(st.text(max_size=50), st.text(max_size=50))
def test_B30_no_header_makes_the_wait_absurd(after, limit):
    wait = wait_of({"retry-after": after, "ratelimit": limit}, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, {"x-error-code": "GatedRepo"}, GatedError),
        (403, {"x-error-code": "GatedRepo"}, GatedError),
        (401, {"x-error-message": "Invalid credentials in Authorization header"}, NoAccessError),
        (403, {"x-error-message": "Access to this resource is disabled."}, NoAccessError),
        (403, {}, NoAccessError),
        (401, {}, NoSuchRepoError),
        (404, {"x-error-code": "RepoNotFound"}, NoSuchRepoError),
        (404, {"x-error-code": "RevisionNotFound"}, NoSuchRevisionError),
        (404, {"x-error-code": "EntryNotFound"}, NoSuchFileError),
        (404, {}, NoSuchFileError),
        (408, {}, HubFailingError),
        (416, {}, ChangedUpstreamError),
        (429, {}, HubRateLimitedError),
        (500, {}, HubFailingError),
        (503, {}, HubFailingError),
        (400, {}, BadHubAnswerError),
        (302, {}, BadHubAnswerError),
        (204, {}, BadHubAnswerError),
        (200, {"content-type": "text/html; charset=utf-8"}, BadHubAnswerError),
        (206, {"content-type": " TEXT/HTML"}, BadHubAnswerError),
    ],
)
def test_B29_B30_each_answer_has_its_error(status, headers, expected):
    with pytest.raises(expected) as caught:
        judge(status, headers, ASKED, by_hub=True, now=NOW)
    assert type(caught.value) is expected


def test_a_question_about_no_file_is_told_about_its_repository():
    with pytest.raises(NoSuchRepoError, match="thorp login hub"):
        judge(404, {}, Question("https://hub.example", "org/repo"), by_hub=True, now=NOW)
    with pytest.raises(NoSuchRepoError, match="token may not see it"):
        judge(404, {}, Question("https://hub.example", "org/repo", with_token=True), by_hub=True, now=NOW)
    with pytest.raises(NoAccessError):
        judge(401, {}, Question("https://hub.example"), by_hub=True, now=NOW)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_store_behind_the_hub_says_nothing_about_access(status):
    with pytest.raises(BadHubAnswerError, match="store"):
        judge(status, {"x-error-code": "GatedRepo"}, ASKED, by_hub=False, now=NOW)


def test_success_is_no_error():
    judge(200, {"content-type": "application/json"}, ASKED, by_hub=True, now=NOW)
    judge(206, {}, ASKED, by_hub=False, now=NOW)


def hop(status=200, **headers):
    origin = Origin("https", "hub.example", 443)
    return Hop(origin, status, {name.replace("_", "-"): text for name, text in headers.items()})


E, SHORT = "e" * 64, RemoteFile("config.json", 100, "a" * 40)


@pytest.mark.parametrize(
    ("hops", "file", "by_hub", "same"),
    [
        ([hop(x_linked_etag=f'"{E}"'), hop(etag='"other"')], FILE, False, True),
        ([hop(x_linked_etag=f'W/"{E.upper()}"'), hop()], FILE, False, True),
        ([hop(x_linked_etag='"other"'), hop(etag=f'"{E}"')], FILE, False, False),
        ([hop(x_linked_etag=f'"{E}"'), hop(x_linked_etag='"other"')], FILE, False, False),
        ([hop(etag=f'"{E}"')], FILE, True, True),
        ([hop(etag='"other"')], FILE, True, False),
        ([hop(etag='"other"')], FILE, False, True),
        ([hop(etag=f'"{"a" * 40}"')], SHORT, True, True),
        ([hop(etag=f'W/"{"a" * 40}"')], SHORT, True, True),
        ([hop()], FILE, True, True),
        ([hop(x_repo_commit="c" * 40), hop()], FILE, False, True),
        ([hop(x_repo_commit="d" * 40), hop()], FILE, False, False),
        ([hop(), hop(x_repo_commit="d" * 40)], FILE, False, False),
        ([hop(x_linked_size="100"), hop()], FILE, False, True),
        ([hop(x_linked_size="101"), hop()], FILE, False, False),
    ],
)
def test_B26_another_file_is_noticed_by_its_names(hops, file, by_hub, same):
    if same:
        check_identity(hops, ASKED, file, by_hub=by_hub)
    else:
        with pytest.raises(ChangedUpstreamError):
            check_identity(hops, ASKED, file, by_hub=by_hub)


@pytest.mark.parametrize(
    ("answer", "first", "end", "expected"),
    [
        (hop(206, content_range="bytes 10-19/100", content_length="10"), 10, 20, None),
        (hop(206, content_range="bytes 10-19/100"), 10, 20, None),
        (hop(206, content_range="bytes 10-19/100", content_length="11"), 10, 20, BadHubAnswerError),
        (hop(206, content_range="bytes 10-20/100", content_length="11"), 10, 20, BadHubAnswerError),
        (hop(206, content_range="bytes 9-19/100"), 10, 20, BadHubAnswerError),
        (hop(206, content_range="bytes 10-19/101"), 10, 20, ChangedUpstreamError),
        (hop(206, content_range="bytes 10-19/*"), 10, 20, BadHubAnswerError),
        (hop(206, content_range="bytes */100"), 10, 20, BadHubAnswerError),
        (hop(206, content_range="items 10-19/100"), 10, 20, BadHubAnswerError),
        (hop(206), 10, 20, BadHubAnswerError),
        (hop(200, content_length="100"), 0, 100, None),
        (hop(200, content_length="99"), 0, 100, BadHubAnswerError),
        (hop(200), 0, 100, BadHubAnswerError),
        (hop(200, content_length="100"), 10, 100, NoRangesError),
        (hop(200, content_length="100"), 0, 20, NoRangesError),
        (hop(200, content_range="bytes 10-19/100", content_length="10"), 10, 20, NoRangesError),
    ],
)
def test_B26_only_the_bytes_that_were_asked_for_are_taken(answer, first, end, expected):
    if expected is None:
        check_range(answer, ASKED, FILE, first, end)
    else:
        with pytest.raises(expected):
            check_range(answer, ASKED, FILE, first, end)
