"""One envelope for every error, on every face."""

from thorp.base.errors import BusyError, TryAgainError, UnauthenticatedError
from thorp.wire.envelope import error_body, error_headers, told


def test_the_body_says_what_happened_in_both_words() -> None:
    assert error_body(BusyError("Too much.", limit=3)) == {
        "error": {
            "code": "busy",
            "fault": "capacity_exceeded",
            "message": "Too much.",
            "details": {"limit": 3},
        }
    }


def test_only_the_owners_own_terminal_is_told_in_which_folders_things_lie() -> None:
    broken = BusyError(
        "`/srv/ann/t.db` is locked.", path="/srv/ann/t.db", problems=["no (/srv/ann/c.toml, line 1)"], more={"n": 1}
    )
    assert error_body(broken, at_home=True)["error"] | {} == {
        "code": "busy",
        "fault": "capacity_exceeded",
        "message": "`/srv/ann/t.db` is locked.",
        "details": broken.details,
    }
    assert error_body(broken)["error"] == {
        "code": "busy",
        "fault": "capacity_exceeded",
        "message": "`t.db` is locked.",
        "details": {"path": "t.db", "problems": ["no (c.toml, line 1)"], "more": {"n": 1}},
    }


def test_the_words_of_any_error_may_leave_without_its_folders() -> None:
    assert told(BusyError("`/srv/ann/t.db` is locked.")) == "`t.db` is locked."
    assert told(FileNotFoundError(2, "No such file", "/srv/ann/t.db")) == "[Errno 2] No such file: 't.db'"


def test_an_address_of_the_api_is_no_folder() -> None:
    refused = BusyError("`/api/v1/keys` is busy.", path="/api/v1/keys")
    assert error_body(refused)["error"]["details"] == {"path": "/api/v1/keys"}


def test_a_wait_is_told_in_whole_seconds_rounded_up() -> None:
    assert error_headers(BusyError("Too much.", retry_after=0.2)) == {"Retry-After": "1"}


def test_unavailable_always_says_when_to_come_back() -> None:
    assert "Retry-After" in error_headers(TryAgainError("Later."))


def test_a_missing_credential_never_asks_a_browser_for_a_password() -> None:
    assert error_headers(UnauthenticatedError("Who?"))["WWW-Authenticate"].startswith("Bearer")
