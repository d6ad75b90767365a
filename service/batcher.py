"""Single items in, batches through the model, single answers out.

Greedy: a batch is whatever queued while the workers were busy, up to a cap. Nobody waits for
company, so an idle service has the latency of one item and a busy one has full batches.

    submit (event loop) -> bounded queue -> worker threads: run(batch) -> futures (event loop)

The queue and the counts are guarded by one lock, held for microseconds. Futures are made and
completed on the event loop alone; a whole batch is handed back in one call to it.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from service.errors import Draining, InferenceFailed, NotReady, Overloaded
from service.vigil import Vigil

Item = TypeVar("Item")
Result = TypeVar("Result")

_BATCH_FAILED = "The model failed on the batch that this was part of."

logger = logging.getLogger(__name__)


class BatchObserver(Protocol):
    """Who wants to know; `service.metrics.Metrics` is one. Called from several threads."""

    def queue_changed(self, by: int) -> None: ...
    def batch_finished(self, size: int) -> None: ...
    def worker_died(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    """The result of one item, how long it queued and how long its batch ran, in seconds."""

    result: Result
    queue_s: float
    run_s: float


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Answer[Result]]
    queued_at: float


class MicroBatcher(Generic[Item, Result]):
    """Runs items in batches of at most `max_batch_size` on `workers` threads.

    `run` gets a list of items and returns one result each, in order. It should free the GIL, and
    is called by all workers at once. At most `max_queue_size` items wait; `wait_ms` lets a batch
    wait for more items after its first, 0 not at all. A run longer than `stall_s` counts as stuck.

    Whatever happens, each accepted item gets a result, gets `InferenceFailed`, or is cancelled by
    its caller, for as long as the event loop runs.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Iterable[Result]],
        *,
        workers: int,
        max_batch_size: int = 8,
        max_queue_size: int = 256,
        wait_ms: float = 0.0,
        stall_s: float = 30.0,
        observer: BatchObserver | None = None,
    ) -> None:
        self._run = run
        self._workers = workers
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._wait_s = wait_ms / 1000
        self._vigil = Vigil(stall_s)
        self._observer = observer or _Nobody()
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._stopped = asyncio.Event()
        self._alive = 0  # workers that can take a batch
        self._deserted = False  # the last worker died, and none could take its place

    @property
    def depth(self) -> int:
        """Items that wait for a batch."""
        return len(self._queue)

    @property
    def healthy(self) -> bool:
        """Every worker is there, and none is stuck."""
        return self._alive == self._workers and not self._vigil.stuck

    def start(self) -> None:
        """Start the workers. Call it once, on the event loop that will submit.

        Raises `RuntimeError` when the system gives no thread.
        """
        self._loop = asyncio.get_running_loop()
        for _ in range(self._workers):
            self._hire(self._loop)

    def submit(self, item: Item) -> asyncio.Future[Answer[Result]]:
        """Queue one item; await the answer, or cancel it to give the place back.

        Raises at once: `Overloaded` if the queue is full, `Draining` after `stop`, `NotReady`
        before `start` and when no worker is left. The answer may raise `InferenceFailed`.
        """
        if self._loop is None:
            raise NotReady("The service is starting.", retry_after_s=1)
        with self._changed:
            if self._stopping:
                raise Draining("The service is stopping.", retry_after_s=1)
            if self._deserted:
                raise NotReady("No worker is left.", retry_after_s=1)
            if len(self._queue) >= self._max_queue_size:
                self._drop_cancelled()
            if len(self._queue) >= self._max_queue_size:
                raise Overloaded("The queue is full.", retry_after_s=1)
            entry = _Entry(item, self._loop.create_future(), time.perf_counter())
            self._observer.queue_changed(+1)
            self._queue.append(entry)
            self._changed.notify()
        return entry.future

    async def stop(self) -> None:
        """Refuse new items, answer all accepted ones, end the workers.

        It lasts as long as the longest run. A caller that stops waiting for it, loses nothing:
        draining goes on.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._loop is not None:
            await self._stopped.wait()

    def _drop_cancelled(self) -> None:
        """Items whose callers left keep their places until someone needs them."""
        waiting = [entry for entry in self._queue if not entry.future.done()]
        self._observer.queue_changed(len(waiting) - len(self._queue))
        self._queue.clear()
        self._queue.extend(waiting)

    def _hire(self, loop: asyncio.AbstractEventLoop) -> None:
        worker = threading.Thread(target=self._work, args=(loop,), name="batch-worker", daemon=True)
        with self._changed:  # it must not take a batch before it counts
            worker.start()
            self._alive += 1

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """The life of one worker thread."""
        try:
            while self._run_next_batch(loop):
                pass
        except BaseException:
            # Only what a run must not raise comes here, such as SystemExit. The thread may be in
            # any state, so it goes, and another takes its place.
            with self._changed:
                self._alive -= 1
            logger.critical("A batch worker died and is replaced.", exc_info=True)
            self._observer.worker_died()
            self._replace(loop)
            return
        with self._changed:
            self._alive -= 1
            last = self._alive == 0
        if last:
            _call(loop, self._stopped.set)

    def _replace(self, loop: asyncio.AbstractEventLoop) -> None:
        """Without a new worker the others go on; without any, what waits fails now, not later."""
        try:
            self._hire(loop)
        except RuntimeError as error:
            logger.critical("A batch worker cannot be replaced.", exc_info=True)
            with self._changed:
                if self._alive:
                    return
                self._deserted = True
                abandoned = list(self._queue)
                self._queue.clear()
            self._observer.queue_changed(-len(abandoned))
            _call(loop, _fail, abandoned, "No worker is left.", _without_frames(error))
            _call(loop, self._stopped.set)

    def _run_next_batch(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Wait for a batch and run it; False if there will be none."""
        batch: list[_Entry[Item, Result]] = []
        try:
            self._fill(batch)
            if not batch:
                return False
            started = time.perf_counter()
            with self._vigil:
                results = list(self._run([entry.item for entry in batch]))
            ended = time.perf_counter()
            if len(results) != len(batch):
                raise ValueError(f"{len(results)} results for {len(batch)} items")
            _call(loop, _answer, batch, results, started, ended)
        except BaseException as error:
            logger.exception("A batch of %d failed.", len(batch))
            _call(loop, _fail, batch, _BATCH_FAILED, _without_frames(error))
            if not isinstance(error, Exception):
                raise
        self._observer.batch_finished(len(batch))
        return True

    def _fill(self, batch: list[_Entry[Item, Result]]) -> None:
        """Wait for items and move them into `batch`; leave it empty when all work is done.

        Items whose callers left are dropped.
        """
        with self._changed:
            while not batch:
                self._changed.wait_for(lambda: self._queue or self._stopping)
                if not self._queue:
                    return
                if self._wait_s:
                    self._wait_for_company()
                before = len(self._queue)
                while self._queue and len(batch) < self._max_batch_size:
                    entry = self._queue.popleft()
                    if not entry.future.done():
                        batch.append(entry)
                self._observer.queue_changed(len(self._queue) - before)

    def _wait_for_company(self) -> None:
        """Until a batch is full or its first item has waited long enough."""
        remaining = self._queue[0].queued_at + self._wait_s - time.perf_counter()
        self._changed.wait_for(
            lambda: len(self._queue) >= self._max_batch_size or self._stopping, remaining
        )


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        logger.debug("The event loop is closed; whoever awaited on it is gone.")


def _answer(
    batch: list[_Entry[Item, Result]], results: list[Result], started: float, ended: float
) -> None:
    for entry, result in zip(batch, results, strict=True):
        if not entry.future.done():
            answer = Answer(result, started - entry.queued_at, ended - started)
            entry.future.set_result(answer)


def _fail(entries: list[_Entry[Item, Result]], detail: str, cause: BaseException) -> None:
    for entry in entries:
        if not entry.future.done():
            # One exception each: awaiting adds to its traceback.
            error = InferenceFailed(detail)
            error.__cause__ = cause
            entry.future.set_exception(error)


def _without_frames(error: BaseException) -> BaseException:
    """The error, and what led to it, without tracebacks, which are logged by now.

    Their frames hold the batch, and with it pictures of people.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


class _Nobody:
    """Observes nothing."""

    def queue_changed(self, by: int) -> None: ...
    def batch_finished(self, size: int) -> None: ...
    def worker_died(self) -> None: ...
