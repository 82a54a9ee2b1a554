"""A running hub, and a bare client that hides nothing of what it got."""

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import huggingface_hub
import pytest
from huggingface_hub.utils import _http as library

from thorp.net import hub_transport
from thorp.testing.hub import FakeHub


@dataclass(frozen=True)
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    whole: bool  # False: the connection ended before the answer did

    def __getitem__(self, name: str) -> str | None:
        return self.headers[name]


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Got:
    """One request on a connection of its own; follows nothing."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    try:
        target = where.path + (f"?{where.query}" if where.query else "")
        connection.request(method, target, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        try:
            return Got(answer.status, answer.headers, answer.read(), whole=True)
        except http.client.IncompleteRead as error:
            return Got(answer.status, answer.headers, error.partial, whole=False)
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def _library_of_its_own() -> Iterator[None]:
    """The hub's library as its makers meant it, whatever another test in this process made of it."""
    huggingface_hub.set_client_factory(library.default_client_factory)
    yield
    hub_transport.install.cache_clear()


@pytest.fixture(name="ask")
def the_bare_client() -> Callable[..., Got]:
    return ask


@pytest.fixture(name="fetch")
def the_bare_download(hub: FakeHub) -> Callable[..., Got]:
    """A file as a client gets it: where is it, then the bytes."""

    def fetch(path: str, repo: str = "org/tiny", revision: str = "main", **headers: str) -> Got:
        found = ask(f"{hub.url}/{repo}/resolve/{revision}/{path}", **headers)
        return ask(found["Location"], **headers) if found.status == 302 else found

    return fetch


@pytest.fixture(name="hub")
def a_running_hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        yield hub
