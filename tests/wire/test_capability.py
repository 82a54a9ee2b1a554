"""A capability is declared once; the declaration is checked when it is made."""

import orjson
import pytest
from pydantic import Field

from thorp.identity.trust import Trust
from thorp.wire.capabilities import every_capability
from thorp.wire.capability import Call, Capability, Nothing, Offer, schema_of, without_words
from thorp.wire.model import Message


class Given(Message):
    number: int


def declared(name: str = "test.thing", version: str = "1.0", request: type[Message] = Nothing) -> Capability:
    return Capability(name, version, "A thing.", request, Nothing)


async def handler(_call: Call[Nothing]) -> Nothing:
    return Nothing()


@pytest.mark.parametrize(
    ("name", "version"), [("Test.x", "1.0"), ("x", "1.0"), ("a.b", "1"), ("a.b", "01.0"), ("a.b ", "1.0")]
)
def test_a_wrong_name_or_version_is_refused(name: str, version: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        declared(name, version)


def test_without_a_word_a_capability_is_the_owners_alone() -> None:
    one = declared()
    assert (one.trust, one.scope, one.mesh) == (Trust.OWNER, None, False)


def test_the_schema_hash_follows_the_contract_and_nothing_else() -> None:
    same = Capability("test.thing", "1.0", "Other words.", Nothing, Nothing, trust=Trust.MEMBER)
    assert declared().schema_hash() == same.schema_hash()
    assert declared().schema_hash() != declared(version="1.1").schema_hash()
    assert declared().schema_hash() != declared(request=Given).schema_hash()


def test_an_offer_has_exactly_one_handler_of_the_declared_kind() -> None:
    with pytest.raises(ValueError, match="exactly one handler"):
        Offer(declared())
    streamed = Capability("test.thing", "1.0", "A thing.", Nothing, Nothing, frames=Nothing)
    with pytest.raises(ValueError, match="go together"):
        Offer(streamed, unary=handler)


def test_every_declared_example_fits_its_own_declaration() -> None:
    for capability in every_capability():
        for example in capability.examples:
            capability.request.model_validate_json(orjson.dumps(example.input))
            if example.answer is not None:
                capability.answer.model_validate_json(orjson.dumps(example.answer))


def test_every_capability_can_be_described_and_hashed() -> None:
    hashes = {capability.id: capability.schema_hash() for capability in every_capability()}
    assert len(set(hashes.values())) == len(hashes)
    assert {"node.info@1.0", "node.echo@1.0", "node.capabilities@1.0"} <= set(hashes)


class Reworded(Message):
    """The same contract in other words."""

    number: int = Field(title="A number", description="Any.")


def test_words_for_people_are_no_part_of_the_contract() -> None:
    assert without_words(schema_of(Given)) == without_words(schema_of(Reworded))


def test_a_field_may_be_called_title() -> None:
    assert without_words(
        {"properties": {"title": {"title": "T"}, "description": {"type": "string"}}, "title": "X"}
    ) == {"properties": {"title": {}, "description": {"type": "string"}}}
