"""One envelope for every error, on every face."""

from thorp.base.errors import BusyError, TryAgainError, UnauthenticatedError
from thorp.wire.envelope import error_body, error_headers


def test_the_body_says_what_happened_in_both_words() -> None:
    assert error_body(BusyError("Too much.", limit=3)) == {
        "error": {
            "code": "busy",
            "fault": "capacity_exceeded",
            "message": "Too much.",
            "details": {"limit": 3},
        }
    }


def test_a_wait_is_told_in_whole_seconds_rounded_up() -> None:
    assert error_headers(BusyError("Too much.", retry_after=0.2)) == {"Retry-After": "1"}


def test_unavailable_always_says_when_to_come_back() -> None:
    assert "Retry-After" in error_headers(TryAgainError("Later."))


def test_a_missing_credential_never_asks_a_browser_for_a_password() -> None:
    assert error_headers(UnauthenticatedError("Who?"))["WWW-Authenticate"].startswith("Bearer")
