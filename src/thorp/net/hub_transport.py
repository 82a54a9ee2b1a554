"""How `huggingface_hub` reaches the network: through whoever called it, or not at all.

The library has one HTTP client for the process. Ours owns no connection: each call of a driver lends it an exchange,
and whatever the library asks for outside of such a call is refused.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import httpx2
import huggingface_hub

from thorp.net.outward_errors import EgressRefusedError

_KEPT: Final = frozenset({"content-type", "etag", "link"})  # and whatever begins with `x-`


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


Exchange: TypeAlias = Callable[[str, str], Reply]  # method and URL; credentials are the exchange's own business

_LENT: Final[ContextVar[Exchange | None]] = ContextVar("thorp_hub_exchange", default=None)


class LentTransport(httpx2.BaseTransport):
    """Hands each request to the exchange that was lent for it."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _LENT.get()
        if exchange is None:
            raise EgressRefusedError(f"The hub's library asked for `{request.url.host}` by itself; that is refused.")
        reply = exchange(request.method, str(request.url))
        kept = {name: text for name, text in reply.headers.items() if name in _KEPT or name.startswith("x-")}
        return httpx2.Response(reply.status, headers=kept, content=reply.body, request=request)


def make_client() -> httpx2.Client:
    """A client without proxies, redirects and connections of its own."""
    return httpx2.Client(transport=LentTransport(), trust_env=False, follow_redirects=False)


@cache
def install() -> None:
    """Once for the process: from here on the library has no other way out."""
    huggingface_hub.set_client_factory(make_client)


@contextmanager
def lending(exchange: Exchange) -> Generator[None]:
    """Whatever the library asks for within is answered by `exchange`."""
    install()
    before = _LENT.set(exchange)
    try:
        yield
    finally:
        _LENT.reset(before)
