"""Asking an application without a socket."""

import asyncio

from thorp.identity.principals import owner
from thorp.testing.asgi import Client, Heard


async def says_what_it_saw(scope, receive, send) -> None:
    message = await receive()
    text = (
        f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {scope['state']['thorp.principal'].label}"
    )
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X-Test", b"1")]})
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b" " + message["body"]})


async def waits_for_the_end(_scope, receive, _send) -> None:
    await receive()
    assert (await receive())["type"] == "http.disconnect"


def test_the_application_sees_the_request_and_the_client_the_answer() -> None:
    heard = asyncio.run(Client(says_what_it_saw, owner()).ask("POST", "/a%20b?c=d", {"e": 1}))
    assert heard == Heard(201, {"x-test": "1"}, b'POST /a b c=d owner {"e":1}')


def test_a_client_can_hang_up() -> None:
    async def story() -> Heard:
        client = Client(waits_for_the_end)
        asking = asyncio.create_task(client.ask("GET", "/"))
        await asyncio.sleep(0)
        client.leave.set()
        return await asking

    assert asyncio.run(story()).status == 0
