"""Everything the node's own description allows, and much that it forbids, sent to it by Schemathesis as the owner."""

from collections.abc import Generator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.e2e.attack_house import House, house
from tests.e2e.attack_wire import PATIENCE, ask
from tests.e2e.pulls import fill, stock
from thorp.testing.hub import FakeHub
from thorp.web.openapi import document

EXAMPLES = 20  # of each operation and mode; the whole file stays well below a minute
LEFT_OUT = {
    "POST /api/v1/admin/shutdown": "it would end the node",
    "POST /api/v1/call/node.stop": "the same",
    "POST /api/v1/exposure": "it would listen on any address and port of this machine",
    "POST /api/v1/call/exposure.open": "the same",
    "GET /api/v1/stream": "its answer has no end",
    "GET /api/v1/transfers/stream": "the same",
    "POST /api/v1/models/import": "it would look through any folder of this machine",
    "POST /api/v1/call/library.import": "the same",
}
OPERATIONS = [
    label
    for path, methods in document()["paths"].items()
    for method in methods
    if (label := f"{method.upper()} {path}") not in LEFT_OUT
]
load_all_checks()
ALWAYS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    folder = tmp_path_factory.mktemp("schema")
    with FakeHub() as hub:
        fill(hub, stock(folder / "stock"))
        with house(folder, HF_ENDPOINT=hub.url) as opened:
            yield opened


@pytest.fixture(scope="module")
def operations(home: House) -> dict[str, APIOperation]:
    """Read from the node, as any client would."""
    described = home.owner("GET", "/api/v1/openapi.json").json
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=home.tcp.origin)
    return {made.label: made for one in schema.get_all_operations() if (made := one.ok())}


def test_the_node_describes_what_its_code_declares(operations: dict[str, APIOperation]) -> None:
    assert set(operations) == {*OPERATIONS, *LEFT_OUT}


@pytest.mark.parametrize("label", ["POST /api/v1/claim", "POST /api/v1/login"])
def test_the_codes_are_bombarded_too(operations: dict[str, APIOperation], label: str) -> None:
    assert operations[label].body


@pytest.mark.parametrize("label", OPERATIONS)
def test_what_the_description_allows_is_answered_as_described(
    home: House, operations: dict[str, APIOperation], label: str
) -> None:
    bombard(home, operations[label].as_strategy(GenerationMode.POSITIVE), ALWAYS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_what_it_forbids_is_refused_as_described(home: House, operations: dict[str, APIOperation], label: str) -> None:
    operation = operations[label]
    if not (operation.body or operation.query or operation.path_parameters):
        assert ask(home.unix, *label.split(" ")).status < 500
        return
    bombard(home, operation.as_strategy(GenerationMode.NEGATIVE), ALWAYS)


def bombard(home: House, cases: "st.SearchStrategy[Case]", checks: tuple[str, ...]) -> None:
    owner = {"Authorization": f"Bearer {home.owner_token}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=cases)
    def one(case: Case) -> None:
        answer = case.call(headers=owner, timeout=PATIENCE)
        case.validate_response(answer, checks=[CHECKS.get_one(name) for name in checks])

    one()
    assert home.node.process.poll() is None
