"""How long each step of one image took: the one record behind answer, log, metrics and traces."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Interval(NamedTuple):
    """One step and when it began and ended, in seconds as of `time.perf_counter`."""

    stage: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one image went, in seconds. A step that it did not need took 0.

    `detect` is finding the faces and cutting them out. `queue` is all waiting, for a thread and
    for a batch, and `inference` the run of that batch: of the face that was answered last. `draw`
    is making the picture of an explanation. It began at `arrived` (`time.perf_counter`), and
    waited for a thread until `started`.
    """

    decode: float
    detect: float
    queue: float
    inference: float
    total: float
    draw: float = 0.0
    arrived: float = 0.0
    started: float = 0.0

    def stages(self) -> dict[str, float]:
        """The steps that this image needed."""
        stages = {
            "decode": self.decode,
            "detect": self.detect,
            "queue": self.queue,
            "inference": self.inference,
            "draw": self.draw,
        }
        return {stage: seconds for stage, seconds in stages.items() if seconds}

    def intervals(self) -> Iterator[Interval]:
        """The same one after the other; who waited for a batch too, has a second `queue`."""
        waited = self.started - self.arrived
        begin = self.arrived
        for stage, seconds in (
            ("queue", waited),
            ("decode", self.decode),
            ("detect", self.detect),
            ("queue", self.queue - waited),
            ("inference", self.inference),
            ("draw", self.draw),
        ):
            if seconds >= 1e-9:  # less is what rounding left
                yield Interval(stage, begin, begin + seconds)
                begin += seconds
