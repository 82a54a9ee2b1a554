"""The API's own description is complete and valid."""

import asyncio
import json
from typing import Any

import pytest
import schemathesis

from thorp.identity.principals import keyed, owner
from thorp.testing.web import WebWorld
from thorp.web.openapi import Schemas, document, written
from thorp.web.routes import EVERY_ROUTE
from thorp.web.table import NounRoute, RawRoute
from thorp.wire.capabilities import every_capability
from thorp.wire.model import Message


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(one) for one in value.values()))
    return set().union(*(references(one) for one in value)) if isinstance(value, list) else set()


def test_every_route_that_is_no_page_is_described() -> None:
    paths = document()["paths"]
    for route in EVERY_ROUTE:
        if route.path == "/api/v1/call/{name}" or (isinstance(route, RawRoute) and route.html):
            continue
        assert paths[route.path.replace(":path}", "}")][route.method.lower()]["x-floor"] == str(route.floor)


def test_every_declared_capability_can_be_called_without_another_line() -> None:
    paths = document()["paths"]
    for capability in every_capability():
        operation = paths[f"/api/v1/call/{capability.name}"]["post"]
        assert operation["x-schema-hash"] == capability.schema_hash()


def test_every_reference_leads_somewhere() -> None:
    made = document()
    names = {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}
    assert references(made["paths"]) | references(made["components"]) <= names


def test_a_validator_of_others_reads_it() -> None:
    schema = schemathesis.openapi.from_dict(document())
    assert schema.statistic.operations.total == sum(len(methods) for methods in document()["paths"].values())


def test_path_parameters_are_fields_of_the_request() -> None:
    for route in EVERY_ROUTE:
        if isinstance(route, NounRoute):
            wanted = {part[1:-1].partition(":")[0] for part in route.path.split("/") if part.startswith("{")}
            assert wanted <= set(route.capability.request.model_fields), route.path


def test_a_parameter_that_takes_slashes_is_written_like_any_other() -> None:
    paths = document()["paths"]
    assert not [path for path in paths if ":" in path]
    operations = paths["/api/v1/models/{ref}"]
    assert set(operations) == {"get", "delete"}
    assert operations["get"]["operationId"] == "get_models_ref"
    assert [(one["name"], one["in"]) for one in operations["get"]["parameters"]] == [("ref", "path")]
    assert set(paths["/api/v1/models/{ref}/verify"]) == {"post"}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for path in document()["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", ["/api/v1/claim", "/api/v1/login"])
def test_a_code_is_described_where_it_is_taken(path: str) -> None:
    made = document()
    described = made["paths"][path]["post"]["requestBody"]
    assert described == {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CodeEntry"}}},
        "required": True,
    }
    entry = made["components"]["schemas"]["CodeEntry"]
    assert (entry["required"], set(entry["properties"]), entry["additionalProperties"]) == (["code"], {"code"}, False)


DESCRIBED = [route for route in EVERY_ROUTE if isinstance(route, RawRoute) and route.request]


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.path)
def test_a_route_reads_the_very_message_it_describes(route: RawRoute) -> None:
    wanted = next(name for name, field in route.request.model_fields.items() if field.is_required())
    heard = asyncio.run(WebWorld().ask(route.method, route.path, {}, owner()))
    assert (heard.status, heard.json["error"]["details"]) == (400, {"parameter": wanted})


def test_two_messages_of_one_name_are_noticed() -> None:
    first, second = type("Thing", (Message,), {}), type("Thing", (Message,), {"__doc__": "Another thing."})
    schemas = Schemas()
    schemas.ref(first)
    with pytest.raises(ValueError, match="Thing"):
        schemas.ref(second)


def test_any_key_may_read_it() -> None:
    heard = asyncio.run(WebWorld().ask("GET", "/api/v1/openapi.json", b"", keyed("k1", frozenset())))
    assert heard.json["openapi"] == "3.1.0"


def test_it_is_made_once_so_that_no_key_can_keep_the_node_busy_with_it() -> None:
    assert written() is written()
    assert json.loads(written()) == document()
