from pathlib import Path

from thorp.base.errors import NoSpaceError
from thorp.models.transfer_errors import told_of


def test_an_error_is_kept_with_its_code_its_words_and_its_exit_code() -> None:
    error = NoSpaceError("The disk is full.", missing=7, path="x", odd=Path("x"))

    assert told_of(error) == {
        "code": "no_space",
        "message": "The disk is full.",
        "details": {"missing": 7, "path": "x", "exit_code": 7},
    }
