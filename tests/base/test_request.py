import asyncio

from thorp.base.request import current_request
from thorp.base.tasks import TaskScope


def test_each_task_sees_its_own_request() -> None:
    async def answer(request: str) -> str:
        current_request.set(request)
        await asyncio.sleep(0)
        return current_request.get()

    async def two() -> list[str]:
        async with TaskScope("requests") as scope:
            return await asyncio.gather(scope.start("a", answer("a")), scope.start("b", answer("b")))

    assert asyncio.run(two()) == ["a", "b"]
    assert current_request.get() == ""
