import pytest

from thorp.base.errors import IntegrityError, every_error
from thorp.formats.errors import BadGgufError, FormatError, PickleRefusedError, shown


def test_a_refusal_names_the_file_the_complaint_and_a_way_on() -> None:
    error = PickleRefusedError("model.pt", "is a pickle")

    assert str(error) == "`model.pt` is a pickle. Take the same model as GGUF or safetensors."
    assert error.details == {"file": "model.pt"}


def test_every_refusal_has_a_code_of_its_own_and_ends_with_exit_code_6() -> None:
    found = list(every_error(FormatError))

    assert len({error.code for error in found}) == len(found) == 8
    assert all(error.code.startswith("formats.") and error.exit_code == 6 for error in found)
    assert issubclass(FormatError, IntegrityError)


@pytest.mark.parametrize(
    ("name", "fit"),
    [("plain", "plain"), ("a\x1b[31mb", "a\\x1b[31mb"), ("a\nb", "a\\nb"), ("`", "'"), ("x" * 500, "x" * 79 + "…")],
)
def test_a_name_out_of_a_file_is_made_fit_for_a_message(name: str, fit: str) -> None:
    assert shown(name) == fit


def test_a_name_of_a_megabyte_makes_a_short_message() -> None:
    assert len(str(BadGgufError("\x1b" * 1_000_000, "is broken"))) < 300
