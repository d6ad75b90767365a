"""Who may come in: one count of places, asked before a request's body is read."""

import math
import time
from collections.abc import Callable
from types import TracebackType

from service.errors import Overloaded

# So long nobody is refused when a flood seems to be over, and when it is: a process that is short
# of CPU refuses in bursts.
_CALM_S, _OVER_S = 0.1, 1.0


class Admission:
    """The places of one process. `with admission:` takes one and gives it back.

    Raises `Overloaded` at once when all are taken; nothing ever waits for a place. Entered and
    left on the event loop only, so a plain counter is exact. While others are refused again and
    again, there is a flood.
    """

    def __init__(self, places: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.places = places
        self.clock = clock
        self.in_flight = 0
        self.draining = False
        # The first refusal of the last flood, and its last one, by the clock.
        self._flooded_from = self._flooded_until = -math.inf

    @property
    def flooded(self) -> bool:
        """Somebody was refused just now."""
        return self._calm_s() <= _CALM_S

    def flood_s(self, since: float) -> float:
        """How long the last flood has gone on, or went on, from a time of the clock, in seconds."""
        return self._flooded_until - max(since, self._flooded_from)

    def _calm_s(self) -> float:
        return self.clock() - self._flooded_until

    def drain(self) -> None:
        """This process is going away: readiness ends, but who still comes is served."""
        self.draining = True

    def __enter__(self) -> None:
        if self.in_flight >= self.places:
            if self._calm_s() > _OVER_S:
                self._flooded_from = self.clock()
            self._flooded_until = self.clock()
            raise Overloaded(f"All {self.places} places are taken; try again.", retry_after_s=1)
        self.in_flight += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.in_flight -= 1
