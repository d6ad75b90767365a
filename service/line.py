"""Who waits for a thread, and whose turn it is."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from service.admission import Admission
from service.errors import Overloaded

_LATE_S = 0.1
_BOTTOM_S = 1.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    job: Callable[[], Any]
    since: float
    future: Future[Any]


class Line:
    """Jobs that wait for a thread of `executor`. First come, first served, except in a flood.

    A long line carries a burst to its end. But in a flood, while `admission` refuses others, it
    never gets shorter: everybody who is served would have waited through all of it, and no more
    would be served. So then the last is first, and hardly waits. Who has been there for a tenth of
    a second of a flood is too late, and is refused too when it is their turn. Those at the
    bottom, whose turn does not come, are after a second; until then they keep their places, as a
    place that is free lets in another, whose body must be read before it is refused.

    Source: adaptive LIFO and controlled delay, in B. Maurer, "Fail at scale", ACM Queue 13.8, 2015.
    """

    def __init__(self, executor: Executor, admission: Admission) -> None:
        self._executor = executor
        self._admission = admission
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()

    async def run(self, job: Callable[[], Result]) -> Result:
        """What the job gives, done on a thread.

        Raises what it raises, and `Overloaded`. Cancel it at any time: a job that has not begun by
        then will not, and leaves the line at once.
        """
        waiting = _Waiting(job, self._admission.clock(), Future())
        with self._lock:
            self._waiting.append(waiting)
        try:
            self._executor.submit(self._serve)
            result: Result = await asyncio.wrap_future(waiting.future)
        except BaseException:
            with self._lock, suppress(ValueError):  # it has begun
                self._waiting.remove(waiting)
            raise
        finally:
            del waiting  # an error knows this frame: it would keep itself and the image alive
        return result

    def _serve(self) -> None:
        """One turn of a thread: there are as many as jobs have come."""
        turn = self._next()
        if turn is None or not turn.future.set_running_or_notify_cancel():
            return
        try:
            if self._admission.flood_s(turn.since) > _LATE_S:
                raise _overloaded()
            result = turn.job()
        except BaseException as error:
            turn.future.set_exception(error)
            del turn  # as above
        else:
            turn.future.set_result(result)

    def _next(self) -> _Waiting | None:
        """Whose turn it is; None if they have left."""
        with self._lock:
            if not self._waiting:
                return None
            if not self._admission.flooded:
                return self._waiting.popleft()
            if self._admission.flood_s(self._waiting[0].since) > _BOTTOM_S:
                bottom = self._waiting.popleft().future
                if bottom.set_running_or_notify_cancel():
                    bottom.set_exception(_overloaded())
            return self._waiting.pop() if self._waiting else None


def _overloaded() -> Overloaded:
    return Overloaded("More is asked than can be answered; try again.", retry_after_s=1)
