"""Who may come in: one count of places, asked before a request's body is read."""

import math
import time
from collections.abc import Callable
from types import TracebackType

from service.errors import Overloaded


class Admission:
    """The places of one process. `with admission:` takes one and gives it back.

    Raises `Overloaded` at once when all are taken; nothing ever waits for a place. Entered and
    left on the event loop only, so a plain counter is exact.
    """

    def __init__(self, places: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.places = places
        self.clock = clock
        self.in_flight = 0
        self.refused_at = -math.inf  # the last time, by the clock
        self.draining = False

    def drain(self) -> None:
        """This process is going away: readiness ends, but who still comes is served."""
        self.draining = True

    def __enter__(self) -> None:
        if self.in_flight >= self.places:
            self.refused_at = self.clock()
            raise Overloaded(f"All {self.places} places are taken; try again.", retry_after_s=1)
        self.in_flight += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.in_flight -= 1
