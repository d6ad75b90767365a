import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from service.admission import Admission
from service.errors import Overloaded
from service.line import Line

pytestmark = pytest.mark.anyio


class Turns(Executor):
    """A thread that takes the next turn when it is told to."""

    def __init__(self) -> None:
        self._turns: deque[Callable[[], Any]] = deque()

    def submit(self, turn: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
        self._turns.append(turn)
        return Future()

    def take(self, number: int = 1) -> None:
        for _ in range(number):
            self._turns.popleft()()


class House:
    """A line, its thread, its door, and a clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0
        self.admission = Admission(0, clock=lambda: self.now)
        self.thread = Turns()
        self.line = Line(self.thread, self.admission)
        self.served: list[object] = []
        self.refused: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._ask(name))
        await self.settle()

    async def _ask(self, name: str) -> None:
        try:
            await self.line.run(lambda: self.served.append(name))
        except Overloaded as error:
            assert error.retry_after_s == 1
            self.refused.append(name)

    async def take(self, turns: int) -> None:
        self.thread.take(turns)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def flood(self, seconds: float = 0.0) -> None:
        """Refuses somebody now, and again and again for so long."""
        end = self.now + seconds
        while True:
            with pytest.raises(Overloaded), self.admission:
                pass
            if self.now >= end:
                return
            self.now = min(end, self.now + 0.05)


async def test_who_comes_first_is_served_first_however_long_it_takes() -> None:
    house = House()
    await house.come("a", "b", "c")
    house.now += 60
    await house.take(3)

    assert house.served == ["a", "b", "c"]


async def test_in_a_flood_the_last_is_first() -> None:
    house = House()
    await house.come("a", "b")
    house.flood()
    await house.come("c")
    await house.take(2)

    assert house.served == ["c", "b"]


async def test_a_burst_that_the_line_could_not_hold_is_worked_off_in_its_order() -> None:
    house = House()
    await house.come("a", "b", "c")
    house.now += 3
    house.flood(0.05)
    await house.take(1)
    house.now += 5
    await house.take(2)

    assert house.served == ["c", "a", "b"]
    assert house.refused == []


async def test_who_saw_others_refused_for_long_is_too_late_when_the_flood_ends() -> None:
    house = House()
    await house.come("a", "b")
    house.flood(0.5)
    await house.come("c")
    house.now += 0.2
    await house.take(3)

    assert house.refused == ["a", "b"]
    assert house.served == ["c"]


async def test_in_a_flood_nobody_is_served_late_for_want_of_others() -> None:
    house = House()
    await house.come("a", "b")
    house.flood(0.5)
    await house.take(1)

    assert (house.served, house.refused) == ([], ["b"])


async def test_who_is_at_the_bottom_for_a_second_is_told_to_come_again() -> None:
    house = House()
    await house.come("a", "b")
    house.flood(1.5)
    await house.come("c")
    await house.take(1)

    assert house.refused == ["a"]  # and b with the next turn
    assert house.served == ["c"]
    await house.come("d")
    await house.take(1)
    assert house.refused == ["a", "b"]
    assert house.served == ["c", "d"]


async def test_a_job_for_which_there_is_no_thread_does_not_stay() -> None:
    class NoThread(Turns):
        def submit(self, turn: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
            raise RuntimeError("can't start new thread")

    house = House()
    turns = Turns()
    house.line = Line(NoThread(), house.admission)
    with pytest.raises(RuntimeError, match="can't start"):
        await house.line.run(lambda: house.served.append("a"))
    house.line._executor = turns
    await house.come("b")
    turns.take()
    await house.settle()

    assert house.served == ["b"]


class Image:
    """What a job holds."""


async def test_who_leaves_takes_the_image_along() -> None:
    house = House()
    image = Image()
    gone = weakref.ref(image)
    task = asyncio.create_task(house.line.run(partial(house.served.append, image)))
    await house.come("b")
    task.cancel()
    await asyncio.wait([task])
    del image, task
    await house.settle()
    gc.collect()

    assert gone() is None
    await house.take(2)
    assert house.served == ["b"]


async def test_an_error_is_for_its_own_caller() -> None:
    with ThreadPoolExecutor(1) as executor:
        line = Line(executor, Admission(1))

        def fail() -> None:
            raise ValueError("a bug")

        outcomes = await asyncio.gather(line.run(fail), line.run(lambda: 7), return_exceptions=True)

    assert isinstance(outcomes[0], ValueError)
    assert outcomes[1] == 7


async def test_an_error_does_not_keep_the_image() -> None:
    def fail(_: Image) -> None:
        raise ValueError("a bug")

    house = House()
    image = Image()
    gone = weakref.ref(image)
    task = asyncio.create_task(house.line.run(partial(fail, image)))
    del image
    await house.settle()
    gc.collect()
    gc.disable()  # in a service it runs seldom
    try:
        await house.take(1)
        assert isinstance(task.exception(), ValueError)
        del task
        await house.settle()
        assert gone() is None
    finally:
        gc.enable()
