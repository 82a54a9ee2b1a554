import pytest

from thorp.base.errors import FAMILIES, ConflictError, InternalError, NotFoundError, ThorpError
from thorp.cli.answered import answered, choices_of, exit_code_of, told_of
from thorp.wire.faults import Fault

TOLD = {"code": "slots.not_ready", "message": "The slot is loading.", "details": {"slot": "chat"}}


def test_the_error_of_a_node_is_told_in_its_own_words() -> None:
    error = answered(503, {"error": TOLD})

    assert error.message == "The slot is loading."
    assert told_of(error) == {"error": TOLD}
    assert exit_code_of(error) == 75


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.status != 500])
def test_the_exit_code_is_that_of_the_family(family: type[ThorpError]) -> None:
    assert exit_code_of(answered(family.status, {"error": TOLD})) == family.exit_code
    assert exit_code_of(family("here")) == family.exit_code


@pytest.mark.parametrize(("status", "code"), [(500, 1), (418, 2), (421, 2), (599, 1)])
def test_a_status_of_no_family_has_an_exit_code_too(status: int, code: int) -> None:
    assert exit_code_of(answered(status, None)) == code


@pytest.mark.parametrize("body", [None, "<html>", [], {}, {"error": "no"}, {"error": {"code": "x"}}])
def test_a_body_that_is_no_envelope_is_told_by_its_status(body: object) -> None:
    error = answered(502, body)

    assert "502" in error.message
    assert exit_code_of(error) == 5


def test_errors_of_the_command_itself_keep_their_code() -> None:
    assert exit_code_of(NotFoundError("x")) == 3
    assert exit_code_of(InternalError("x")) == 1


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.INTERNAL_ERROR])
def test_an_error_within_a_stream_has_the_exit_code_of_its_fault(fault: Fault) -> None:
    assert exit_code_of(answered(None, {"error": {"message": "x", "fault": fault.value}})) not in (0, 1)


def test_a_stream_that_ends_in_nonsense_is_a_failure() -> None:
    assert exit_code_of(answered(None, "<html>")) == 1
    assert answered(None, None).message == "The stream broke off."


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"code": "x", "details": {"exit_code": 7}}, 7),
        ({"code": "x", "details": {"exit_code": 700}}, 1),
        ({"code": "x", "details": {"exit_code": True}, "fault": "not_found"}, 3),
        ({"code": "conflict", "fault": "bad_request", "details": {}}, 8),
        ({"code": "x", "details": ["odd"]}, 1),
    ],
)
def test_an_error_without_a_status_has_the_exit_code_of_its_details_or_its_code(
    told: dict[str, object], code: int
) -> None:
    assert exit_code_of(answered(None, {"error": told})) == code


def test_what_could_have_been_meant_is_listed() -> None:
    choices = [
        {"ref": "a/b:q4_0", "size_bytes": 1_000, "fit": None},
        {"ref": "longer/name:q8_0", "fit": "tight"},
        "odd",
    ]

    assert choices_of(ConflictError("x", choices=choices)) == [
        "  a/b:q4_0          1.0 KB",
        "  longer/name:q8_0  tight",
    ]
    assert choices_of(answered(409, {"error": {"code": "x", "details": {"repos": [{"repo": "a/b"}]}}})) == ["  a/b"]
    assert choices_of(answered(409, {"error": TOLD})) == []
    assert choices_of(answered(409, {"error": {"code": "x", "details": "odd"}})) == []
