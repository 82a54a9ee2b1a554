"""Which capability answers to a name and a version."""

import pytest

from thorp.bus.errors import AlreadyOfferedError, NoSuchCapabilityError, SchemaMismatchError
from thorp.bus.table import Table, answers, parse_wanted
from thorp.wire.capability import Call, Capability, Nothing, Offer


def offer(name: str, version: str) -> Offer:
    async def handler(_call: Call[Nothing]) -> Nothing:
        return Nothing()

    return Offer(Capability(name, version, "A thing.", Nothing, Nothing), unary=handler)


def table_of(*ids: str) -> Table:
    table = Table()
    for one in ids:
        name, _, version = one.partition("@")
        table.add(offer(name, version)).listed = True
    return table


@pytest.mark.parametrize(
    ("offered", "wanted", "fits"),
    [
        ("1.4", None, True),
        ("1.4", "1.0", True),
        ("1.4", "1.4", True),
        ("1.4", "1.5", False),
        ("2.0", "1.0", False),
        ("1.10", "1.9", True),
    ],
)
def test_same_major_and_at_least_the_minor(offered: str, wanted: str | None, fits: bool) -> None:
    assert answers(offer("a.b", offered).capability, wanted) is fits


def test_the_newest_that_answers_is_taken() -> None:
    table = table_of("a.b@1.2", "a.b@1.10", "a.b@2.0")
    assert table.resolve("a.b").capability.version == "2.0"
    assert table.resolve("a.b@1.1").capability.version == "1.10"


def test_what_is_not_listed_does_not_answer_and_says_why() -> None:
    table = table_of("a.b@1.0")
    entry = table.add(offer("a.c", "1.0"))
    entry.reason = "its self-test failed: no such device"
    with pytest.raises(NoSuchCapabilityError, match="no such device"):
        table.resolve("a.c")


def test_an_unlisted_newer_one_leaves_the_older_one_in_place() -> None:
    table = table_of("a.b@1.0")
    table.add(offer("a.b", "1.1"))
    assert table.resolve("a.b").capability.version == "1.0"


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(NoSuchCapabilityError, match=r"Did you mean `node\.echo`"):
        table_of("node.echo@1.0").resolve("node.eco")


def test_a_missing_version_says_which_there_are() -> None:
    with pytest.raises(NoSuchCapabilityError, match=r"version 1\.0"):
        table_of("a.b@1.0").resolve("a.b@2.0")


@pytest.mark.parametrize("text", ["", "x", "a.b@", "a.b@1", "a.b@1.0.0", "A.b", "a.b@01.0", "a.b@1.0\n", "../a.b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(SchemaMismatchError):
        parse_wanted(text)


def test_one_capability_cannot_be_offered_twice() -> None:
    table = table_of("a.b@1.0")
    with pytest.raises(AlreadyOfferedError):
        table.add(offer("a.b", "1.0"))
