"""Stand-ins that do what a test says, when it says it."""

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.session import ModelConfig

Item = TypeVar("Item")
Result = TypeVar("Result")

# Nothing in a test waits this long, unless it would wait for ever.
PATIENCE_S = 30.0


class GatedBatch(Generic[Item, Result]):
    """A batch that a worker has begun and the test has not yet ended."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.worker = threading.current_thread()
        self._outcome: Future[Iterable[Result]] = Future()

    def finish(self, results: Iterable[Result]) -> None:
        """Let the run return."""
        self._outcome.set_result(results)

    def fail(self, error: BaseException) -> None:
        """Let the run raise."""
        self._outcome.set_exception(error)

    def result(self) -> Iterable[Result]:
        return self._outcome.result(PATIENCE_S)


class GatedRunner(Generic[Item, Result]):
    """A run function whose batches end when the test decides, and how."""

    def __init__(self) -> None:
        self._begun: queue.SimpleQueue[GatedBatch[Item, Result]] = queue.SimpleQueue()

    def __call__(self, items: list[Item]) -> Iterable[Result]:
        batch = GatedBatch[Item, Result](items)
        self._begun.put(batch)
        return batch.result()

    def begun(self) -> GatedBatch[Item, Result]:
        """The next batch that a worker begins, once it has."""
        return self._begun.get(timeout=PATIENCE_S)

    @property
    def idle(self) -> bool:
        """No worker has begun a batch that the test does not know."""
        return self._begun.empty()


class FakeSession:
    """A loaded graph that computes what a test says: all of `config.outputs`, in order."""

    def __init__(
        self, config: ModelConfig, graph: Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]
    ) -> None:
        self.config = config
        self._graph = graph

    def run(self, batch: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        results = dict(zip(self.config.outputs, self._graph(batch), strict=True))
        return [results[name] for name in outputs or self.config.outputs]
