import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from service.batcher import Answer, MicroBatcher
from service.errors import Draining, InferenceFailed, NotReady, Overloaded
from tests.service.fakes import PATIENCE_S, GatedBatch, GatedRunner

pytestmark = pytest.mark.anyio

Batcher = MicroBatcher[int, str]
Runner = GatedRunner[int, str]
Pending = asyncio.Future[Answer[str]]

FOR_EVER_MS = 1e9


def shout(items: Iterable[int]) -> list[str]:
    return [f"{item}!" for item in items]


def finish(batch: GatedBatch[int, str]) -> None:
    batch.finish(shout(batch.items))


async def result(pending: Pending) -> str:
    answer = await asyncio.wait_for(pending, PATIENCE_S)
    return answer.result


async def results(pending: Iterable[Pending]) -> list[str]:
    return [await result(one) for one in pending]


@asynccontextmanager
async def running(
    run: Callable[[list[int]], Iterable[str]], workers: int = 1, **options: Any
) -> AsyncIterator[Batcher]:
    batcher = Batcher(run, workers=workers, **options)
    batcher.start()
    try:
        yield batcher
    finally:
        await asyncio.wait_for(batcher.stop(), PATIENCE_S)


class Witness:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.depth = 0
        self.least_depth = 0
        self.sizes: list[int] = []
        self.deaths = 0
        self.at_death: Callable[[], object] = lambda: None
        self.at_finish: Callable[[], object] = lambda: None

    def queue_changed(self, by: int) -> None:
        self.depth += by
        self.least_depth = min(self.least_depth, self.depth)

    def batch_finished(self, size: int) -> None:
        self.sizes.append(size)
        self.at_finish()

    def worker_died(self) -> None:
        self.deaths += 1
        self.at_death()


# Batches


async def test_a_lone_item_runs_at_once() -> None:
    async with running(shout) as batcher:
        answer = await batcher.submit(1)
    assert answer.result == "1!"
    assert answer.queue_s >= 0
    assert answer.run_s >= 0


async def test_items_queued_while_busy_become_one_batch() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        pending = [batcher.submit(0)]
        first = runner.begun()
        pending += [batcher.submit(item) for item in (1, 2, 3)]
        assert batcher.depth == 3
        finish(first)
        second = runner.begun()
        assert (first.items, second.items) == ([0], [1, 2, 3])
        assert batcher.depth == 0
        finish(second)
        assert await results(pending) == ["0!", "1!", "2!", "3!"]


@pytest.mark.parametrize("cap", [1, 2, 8])
async def test_a_batch_is_never_above_the_cap(cap: int) -> None:
    runner = Runner()
    async with running(runner, max_batch_size=cap) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(item) for item in range(1, 20)]
        seen: list[int] = []
        while len(seen) + len(batch.items) < 20:
            seen += batch.items
            finish(batch)
            batch = runner.begun()
            assert batch.items == list(range(len(seen), min(len(seen) + cap, 20)))
        finish(batch)
        assert await results(pending) == shout(range(20))


async def test_results_may_come_one_by_one() -> None:
    async with running(lambda items: (f"{item}!" for item in items)) as batcher:
        assert await result(batcher.submit(1)) == "1!"


async def test_workers_run_at_the_same_time() -> None:
    runner = Runner()
    async with running(runner, workers=2) as batcher:
        pending = [batcher.submit(0)]
        first = runner.begun()
        pending.append(batcher.submit(1))
        second = runner.begun()
        finish(second)
        assert await result(pending[1]) == "1!"
        finish(first)
        assert await result(pending[0]) == "0!"


async def test_answers_of_a_batch_arrive_in_order() -> None:
    runner = Runner()
    order = []
    async with running(runner) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(item) for item in range(1, 8)]
        for one in pending:
            one.add_done_callback(lambda done: order.append(done.result().result))
        finish(batch)
        finish(runner.begun())
        await results(pending)
    assert order == shout(range(8))


async def test_waiting_for_company_ends_with_a_full_batch() -> None:
    runner = Runner()
    async with running(runner, max_batch_size=3, wait_ms=FOR_EVER_MS) as batcher:
        pending = []
        for item in range(3):
            assert runner.idle
            pending.append(batcher.submit(item))
            for _ in range(10):  # occasions for a worker that would not wait
                await asyncio.to_thread(threading.get_ident)
        batch = runner.begun()
        assert batch.items == [0, 1, 2]
        finish(batch)
        await results(pending)


async def test_waiting_for_company_ends_in_time() -> None:
    async with running(shout, wait_ms=1) as batcher:
        assert await result(batcher.submit(0)) == "0!"


async def test_waiting_for_company_ends_with_the_service() -> None:
    async with running(shout, wait_ms=FOR_EVER_MS) as batcher:
        pending = batcher.submit(0)
    assert await result(pending) == "0!"


# Failures


async def test_an_error_reaches_its_batch_only() -> None:
    runner = Runner()
    async with running(runner, max_batch_size=2) as batcher:
        before = batcher.submit(0)
        batch = runner.begun()
        failing = [batcher.submit(1), batcher.submit(2)]
        after = batcher.submit(3)
        finish(batch)
        error = ValueError("no such shape")
        runner.begun().fail(error)
        errors = [await failure(one) for one in failing]
        finish(runner.begun())
        assert await results([before, after]) == ["0!", "3!"]
        assert batcher.healthy
    assert errors[0] is not errors[1]
    assert [one.__cause__ for one in errors] == [error, error]
    assert "no such shape" not in errors[0].detail


async def failure(pending: Pending) -> InferenceFailed:
    with pytest.raises(InferenceFailed) as caught:
        await result(pending)
    return caught.value


def breaking_off() -> Iterator[str]:
    yield "1!"
    raise RuntimeError("halfway")


@pytest.mark.parametrize(
    "wrong",
    [["1!"], ["1!", "2!", "3!"], [], breaking_off()],
    ids=["too few", "too many", "none", "breaking off"],
)
async def test_results_that_do_not_fit_are_an_error(wrong: Iterable[str]) -> None:
    runner = Runner()
    async with running(runner) as batcher:
        first = batcher.submit(0)
        batch = runner.begun()
        pending = [batcher.submit(1), batcher.submit(2)]
        finish(batch)
        runner.begun().finish(wrong)
        for one in pending:
            await failure(one)
        after = batcher.submit(3)
        finish(runner.begun())
        assert await results([first, after]) == ["0!", "3!"]


@pytest.mark.parametrize("chained", [True, False])
async def test_a_failed_batch_keeps_nothing_of_its_items(chained: bool) -> None:
    def run(items: list[int]) -> list[str]:
        try:
            raise ValueError("a graph")
        except ValueError as error:
            if chained:
                raise KeyError("what runs it") from error
            raise KeyError("what runs it")  # noqa: B904  # as other people's code does

    async with running(run) as batcher:
        error = await failure(batcher.submit(1))
    link, links = error.__cause__, []
    while link is not None:
        links.append(type(link))
        assert link.__traceback__ is None
        link = link.__cause__ or link.__context__
    assert links == [KeyError, ValueError]


# Callers that leave


async def test_a_caller_that_left_while_queued_is_skipped() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        pending = [batcher.submit(item) for item in range(1)]
        batch = runner.begun()
        pending += [batcher.submit(item) for item in (1, 2, 3)]
        pending.pop(2).cancel()
        finish(batch)
        batch = runner.begun()
        assert batch.items == [1, 3]
        finish(batch)
        assert await results(pending) == ["0!", "1!", "3!"]


async def test_a_caller_that_left_during_the_run_harms_nobody() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(item) for item in (1, 2, 3)]
        finish(batch)
        batch = runner.begun()
        pending.pop(2).cancel()
        finish(batch)
        assert await results(pending) == ["0!", "1!", "3!"]


async def test_callers_that_left_a_batch_that_fails() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        gone = batcher.submit(0)
        batch = runner.begun()
        gone.cancel()
        batch.fail(ValueError())
        stayed = batcher.submit(1)
        finish(runner.begun())
        assert await result(stayed) == "1!"


async def test_when_all_callers_left_nothing_runs() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        first = batcher.submit(0)
        batch = runner.begun()
        for item in (1, 2):
            batcher.submit(item).cancel()
        finish(batch)
        assert await result(first) == "0!"
        last = batcher.submit(3)
        batch = runner.begun()
        assert batch.items == [3]
        finish(batch)
        assert await result(last) == "3!"


async def test_a_deadline_is_exact_while_a_batch_runs() -> None:
    runner = Runner()
    async with running(runner) as batcher:
        late = batcher.submit(0)
        batch = runner.begun()
        patient = batcher.submit(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time()):
                await late
        assert late.cancelled()
        finish(batch)  # only now does the run end
        finish(runner.begun())
        assert await result(patient) == "1!"


# The bound


async def test_a_full_queue_refuses_at_once() -> None:
    runner = Runner()
    async with running(runner, max_queue_size=2) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(1), batcher.submit(2)]
        with pytest.raises(Overloaded) as caught:
            batcher.submit(3)
        assert caught.value.retry_after_s is not None
        finish(batch)
        batch = runner.begun()
        pending += [batcher.submit(4), batcher.submit(5)]
        with pytest.raises(Overloaded):
            batcher.submit(6)
        finish(batch)
        finish(runner.begun())
        assert await results(pending) == ["0!", "1!", "2!", "4!", "5!"]


async def test_who_leaves_gives_the_place_back() -> None:
    runner, witness = Runner(), Witness()
    async with running(runner, max_queue_size=2, observer=witness) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(1), batcher.submit(2)]
        pending.pop().cancel()
        pending.append(batcher.submit(3))
        with pytest.raises(Overloaded):
            batcher.submit(4)
        assert batcher.depth == witness.depth == 2
        finish(batch)
        finish(runner.begun())
        assert await results(pending) == ["0!", "1!", "3!"]


async def test_before_the_start_nothing_is_accepted() -> None:
    batcher = Batcher(shout, workers=1)
    assert not batcher.healthy
    with pytest.raises(NotReady):
        batcher.submit(0)
    await batcher.stop()


# Stopping


async def test_stop_answers_all_that_was_accepted_then_refuses() -> None:
    runner = Runner()
    batcher = Batcher(runner, workers=1, max_batch_size=2)
    batcher.start()
    pending = [batcher.submit(0)]
    batch = runner.begun()
    pending += [batcher.submit(item) for item in (1, 2, 3)]
    stopping = asyncio.create_task(batcher.stop())
    await asyncio.sleep(0)
    with pytest.raises(Draining):
        batcher.submit(4)
    for _ in range(2):
        finish(batch)
        batch = runner.begun()
    assert not stopping.done()
    finish(batch)
    await asyncio.wait_for(stopping, PATIENCE_S)
    assert all(one.done() for one in pending)
    assert await results(pending) == shout(range(4))
    assert not batcher.healthy
    with pytest.raises(Draining):
        batcher.submit(5)


@pytest.mark.parametrize("workers", [1, 3])
async def test_stop_ends_the_workers(workers: int) -> None:
    before = set(threading.enumerate())
    async with running(shout, workers=workers):
        mine = set(threading.enumerate()) - before
        assert len(mine) == workers
    for thread in mine:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


async def test_stop_waits_for_every_worker() -> None:
    runner = Runner()
    batcher = Batcher(runner, workers=2)
    batcher.start()
    pending = [batcher.submit(0)]
    first = runner.begun()
    pending.append(batcher.submit(1))
    second = runner.begun()
    stopping = asyncio.create_task(batcher.stop())
    await asyncio.sleep(0)
    finish(first)
    await asyncio.to_thread(first.worker.join, PATIENCE_S)
    await result(pending[0])
    assert not stopping.done()
    finish(second)
    await asyncio.wait_for(stopping, PATIENCE_S)
    assert pending[1].done()


async def test_stopping_twice_is_stopping() -> None:
    async with running(shout) as batcher:
        await asyncio.gather(batcher.stop(), batcher.stop())


async def test_draining_goes_on_when_nobody_waits_for_it() -> None:
    runner = Runner()
    batcher = Batcher(runner, workers=1)
    batcher.start()
    pending = [batcher.submit(0)]
    batch = runner.begun()
    pending.append(batcher.submit(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time()):
            await batcher.stop()
    finish(batch)
    finish(runner.begun())
    assert await results(pending) == ["0!", "1!"]
    await asyncio.wait_for(batcher.stop(), PATIENCE_S)


# Workers


@pytest.mark.parametrize("fatal", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_dead_worker_fails_its_batch_only_and_is_replaced(
    fatal: type[BaseException],
) -> None:
    runner, witness = Runner(), Witness()
    healthy = []
    async with running(runner, max_batch_size=2, observer=witness) as batcher:
        witness.at_death = lambda: healthy.append(batcher.healthy)
        assert batcher.healthy
        first = batcher.submit(0)
        batch = runner.begun()
        lost = [batcher.submit(1), batcher.submit(2)]
        kept = batcher.submit(3)
        finish(batch)
        runner.begun().fail(fatal())
        for one in lost:
            assert isinstance((await failure(one)).__cause__, fatal)
        batch = runner.begun()  # a new worker has taken what was queued
        assert (batch.items, healthy, batcher.healthy) == ([3], [False], True)
        finish(batch)
        assert await results([first, kept]) == ["0!", "3!"]
    assert witness.deaths == 1


async def test_one_of_two_workers_dies() -> None:
    runner = Runner()
    async with running(runner, workers=2) as batcher:
        pending = [batcher.submit(0)]
        dying = runner.begun()
        pending.append(batcher.submit(1))
        other = runner.begun()
        dying.fail(SystemExit())
        await failure(pending[0])
        pending.append(batcher.submit(2))
        finish(runner.begun())
        finish(other)
        assert await results(pending[1:]) == ["1!", "2!"]


async def test_a_worker_that_dies_while_draining_loses_nothing_else() -> None:
    runner = Runner()
    batcher = Batcher(runner, workers=1)
    batcher.start()
    lost = batcher.submit(0)
    batch = runner.begun()
    kept = batcher.submit(1)
    stopping = asyncio.create_task(batcher.stop())
    await asyncio.sleep(0)
    batch.fail(SystemExit())
    await failure(lost)
    finish(runner.begun())
    await asyncio.wait_for(stopping, PATIENCE_S)
    assert await result(kept) == "1!"


@pytest.fixture
def no_more_threads() -> Iterator[Callable[[], None]]:
    """Call it, and the system gives no thread any more: none with such a stack."""
    usual = threading.stack_size()
    yield lambda: (threading.stack_size(2**46), None)[1]
    threading.stack_size(usual)


async def test_when_the_last_worker_cannot_be_replaced_nobody_waits(
    no_more_threads: Callable[[], None],
) -> None:
    runner, witness = Runner(), Witness()
    async with running(runner, observer=witness) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(1), batcher.submit(2)]
        no_more_threads()
        batch.fail(SystemExit())
        causes = [(await failure(one)).__cause__ for one in pending]
        assert [type(cause) for cause in causes] == [SystemExit, RuntimeError, RuntimeError]
        assert not batcher.healthy
        with pytest.raises(NotReady):
            batcher.submit(3)
    assert (witness.depth, batcher.depth) == (0, 0)


async def test_without_a_replacement_the_others_go_on(no_more_threads: Callable[[], None]) -> None:
    runner, witness, died = Runner(), Witness(), threading.Event()
    witness.at_death = died.set
    async with running(runner, workers=2, observer=witness) as batcher:
        lost = batcher.submit(0)
        batch = runner.begun()
        no_more_threads()
        batch.fail(SystemExit())
        await failure(lost)
        assert died.wait(PATIENCE_S)
        served = batcher.submit(1)
        finish(runner.begun())
        assert await result(served) == "1!"
        assert not batcher.healthy


async def test_an_observer_that_fails_leaves_nobody_waiting() -> None:
    class Broken(Witness):
        def queue_changed(self, by: int) -> None:
            if by < 0:
                raise ValueError

    async with running(shout, observer=Broken()) as batcher:
        await failure(batcher.submit(0))


async def test_a_stuck_worker_is_not_healthy_until_it_is_done() -> None:
    runner, witness = Runner(), Witness()
    healthy = []
    async with running(runner, workers=2, stall_s=0, observer=witness) as batcher:
        witness.at_finish = lambda: healthy.append(batcher.healthy)
        healthy.append(batcher.healthy)
        stuck = batcher.submit(0)
        batch = runner.begun()
        healthy.append(batcher.healthy)
        finish(batch)
        assert await result(stuck) == "0!"
    assert healthy == [True, False, True]


def test_an_event_loop_that_closes_during_a_run_is_no_error() -> None:
    runner, witness = Runner(), Witness()
    finished = threading.Event()
    witness.at_finish = finished.set

    async def leave() -> GatedBatch[int, str]:
        batcher = Batcher(runner, workers=1, observer=witness)
        batcher.start()
        callers = [asyncio.ensure_future(result(batcher.submit(item))) for item in (0, 1)]
        await asyncio.sleep(0)
        assert not any(caller.done() for caller in callers)
        return runner.begun()

    finish(asyncio.run(leave()))
    assert finished.wait(PATIENCE_S)


async def test_the_observer_sees_everything_once() -> None:
    runner, witness = Runner(), Witness()
    async with running(runner, max_batch_size=2, observer=witness) as batcher:
        pending = [batcher.submit(0)]
        batch = runner.begun()
        pending += [batcher.submit(item) for item in (1, 2, 3)]
        assert witness.depth == 3
        pending.pop(1).cancel()
        finish(batch)
        finish(runner.begun())
        await results(pending)
    assert (witness.depth, witness.least_depth) == (0, 0)
    assert sorted(witness.sizes) == [1, 2]


# Any order of events


class AnyOrder(RuleBasedStateMachine):
    """One worker, and a test that knows at every moment what must be queued and running."""

    CAP, PLACES = 3, 5

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.mishaps: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.mishaps.append(context))
        self.runner, self.witness = Runner(), Witness()
        self.batcher = Batcher(
            self.runner,
            workers=1,
            max_batch_size=self.CAP,
            max_queue_size=self.PLACES,
            observer=self.witness,
        )
        self.loop.run_until_complete(self.in_loop(self.batcher.start))
        self.accepted: dict[int, Pending] = {}
        self.left: set[int] = set()
        self.answers: dict[int, int] = {}
        self.queued: list[int] = []
        self.batch: GatedBatch[int, str] | None = None
        self.stopping: asyncio.Task[None] | None = None

    async def in_loop(self, act: Callable[[], Any]) -> Any:
        return act()

    def act(self, act: Callable[[], Any]) -> Any:
        return self.loop.run_until_complete(self.in_loop(act))

    @rule()
    def submit(self) -> None:
        item = len(self.accepted)
        if self.stopping or len(self.queued) >= self.PLACES:
            with pytest.raises(Draining if self.stopping else Overloaded):
                self.act(lambda: self.batcher.submit(item))
            return
        pending = self.act(lambda: self.batcher.submit(item))
        pending.add_done_callback(lambda _: self.answers.update({item: self.answers[item] + 1}))
        self.accepted[item], self.answers[item] = pending, 0
        self.queued.append(item)
        if self.batch is None:
            self.expect_batch()

    @rule(data=st.data())
    @precondition(lambda self: any(not one.done() for one in self.accepted.values()))
    def leave(self, data: st.DataObject) -> None:
        item = data.draw(
            st.sampled_from([item for item, one in self.accepted.items() if not one.done()])
        )
        self.act(self.accepted[item].cancel)
        self.left.add(item)
        self.queued = [other for other in self.queued if other != item]

    @rule(outcome=st.sampled_from(["results", "too few", "error", "death"]))
    @precondition(lambda self: self.batch is not None)
    def end_batch(self, outcome: str) -> None:
        assert self.batch is not None
        batch, self.batch = self.batch, None
        match outcome:
            case "results":
                finish(batch)
            case "too few":
                batch.finish([])
            case "error":
                batch.fail(ValueError())
            case "death":
                batch.fail(SystemExit())
        for item in batch.items:
            if item not in self.left:
                answer = result(self.accepted[item])
                if outcome == "results":
                    assert self.loop.run_until_complete(answer) == f"{item}!"
                else:
                    with pytest.raises(InferenceFailed):
                        self.loop.run_until_complete(answer)
        if self.queued:
            self.expect_batch()

    @rule()
    @precondition(lambda self: self.stopping is None)
    def stop(self) -> None:
        self.stopping = self.loop.create_task(self.batcher.stop())
        self.act(lambda: None)

    def expect_batch(self) -> None:
        self.batch = self.runner.begun()
        assert self.batch.items == self.queued[: self.CAP]
        del self.queued[: self.CAP]

    @invariant()
    def nothing_runs_that_should_not(self) -> None:
        assert self.runner.idle

    @invariant()
    def each_is_answered_once_and_not_before_its_turn(self) -> None:
        self.act(lambda: None)  # so that callbacks ran
        waiting = {*self.queued, *(self.batch.items if self.batch else ())} - self.left
        for item, times in self.answers.items():
            assert times == (0 if item in waiting else 1)

    def teardown(self) -> None:
        while self.batch:
            self.end_batch("results")
        self.loop.run_until_complete(asyncio.wait_for(self.batcher.stop(), PATIENCE_S))
        if self.stopping:
            assert self.stopping.done()
        assert all(one.done() for one in self.accepted.values())
        assert all(times == 1 for times in self.answers.values())
        assert (self.witness.depth, self.witness.least_depth) == (0, 0)
        assert not self.mishaps
        self.loop.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@settings(max_examples=50, deadline=None)
@given(
    bad=st.sets(st.integers(0, 49)),
    fatal=st.sets(st.integers(0, 49), max_size=3),
    leaving=st.sets(st.integers(0, 49)),
    workers=st.integers(1, 3),
    cap=st.integers(1, 9),
)
def test_everyone_is_answered_however_threads_interleave(
    bad: set[int], fatal: set[int], leaving: set[int], workers: int, cap: int
) -> None:
    ran: list[list[int]] = []

    def run(items: list[int]) -> list[str]:
        ran.append(items)
        if fatal.intersection(items):
            raise SystemExit
        if bad.intersection(items):
            raise ValueError
        return shout(items)

    async def everyone() -> list[Answer[str] | BaseException]:
        async with running(run, workers=workers, max_batch_size=cap) as batcher:
            pending = []
            for item in range(50):
                pending.append(batcher.submit(item))
                await asyncio.sleep(0)
                if item in leaving:
                    pending[item].cancel()
            return await asyncio.wait_for(
                asyncio.gather(*pending, return_exceptions=True), PATIENCE_S
            )

    answers = asyncio.run(everyone())
    together = {item: batch for batch in ran for item in batch}
    assert sum(map(len, ran)) == len(together), "an item ran twice"
    assert max(map(len, ran)) <= cap
    for item, answer in enumerate(answers):
        if isinstance(answer, Answer):
            assert answer.result == f"{item}!"
            assert not (bad | fatal).intersection(together[item])
        elif isinstance(answer, asyncio.CancelledError):
            assert item in leaving
        else:
            assert isinstance(answer, InferenceFailed)
            assert (bad | fatal).intersection(together[item])
