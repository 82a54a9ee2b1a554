"""Errors have stable codes, honest statuses and exit codes."""

import re

from thorp.base.errors import FAMILIES, ConflictError, ThorpError, every_error


def test_every_code_is_dotted_lower_case_or_a_family() -> None:
    families = {family.code for family in (*FAMILIES, ThorpError)}
    ours = [error for error in every_error() if error.__module__.startswith("thorp.")]
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", error.code) for error in ours if error.code not in families)


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in every_error() if error.__module__.startswith("thorp.")]
    assert len(codes) == len(set(codes))


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert {family.exit_code for family in FAMILIES} == {1, 2, 3, 4, 5, 6, 7, 8, 75}


def test_an_error_keeps_its_message_and_details() -> None:
    error = ConflictError("It is there already.", retry_after=2.0, name="x")
    assert (str(error), error.details, error.retry_after) == ("It is there already.", {"name": "x"}, 2.0)
