"""The open loop, against a server that answers as a test says."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.payloads import Payload
from benchmarks.poisson import _Generator, arrivals, open_loop

PAYLOAD = Payload("/predict", "image/jpeg", b"an image")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer: Callable[[int], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server whose n-th request gets `answer(n)`, or a closed connection; and the requests."""
    loop, requests = asyncio.new_event_loop(), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                requests.append(head + await reader.readexactly(len(PAYLOAD.body)))
                said = answer(len(requests) - 1)
                writer.write(said)
                if not said:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:

        async def stop() -> None:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_arrivals_are_a_poisson_process() -> None:
    times = arrivals(1000, 50, seed=1)
    gaps = np.diff(times)

    assert len(times) == pytest.approx(50_000, rel=0.02)
    assert (gaps >= 0).all()
    # Of exponential gaps, mean and standard deviation are the same.
    assert gaps.mean() == pytest.approx(1e-3, rel=0.02)
    assert gaps.std() == pytest.approx(1e-3, rel=0.02)
    assert times.max() < 50


def test_arrivals_are_drawn_again_for_another_seed_and_not_for_the_same() -> None:
    assert (arrivals(10, 10, seed=1) == arrivals(10, 10, seed=1)).all()
    assert arrivals(10, 10, seed=1)[0] != arrivals(10, 10, seed=2)[0]


def test_every_request_is_sent_and_its_answer_counted() -> None:
    due = len(arrivals(200, 0.5, seed=3))
    with answering(lambda number: OK if number else OK.replace(b"200 OK", b"503 No")) as (
        address,
        requests,
    ):
        found = open_loop(address, PAYLOAD, per_s=200, seconds=0.5, seed=3)

    assert len(requests) == due
    assert len(found.seconds) == due - 1
    assert found.others == {503: 1}
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /predict HTTP/1.1\r\n")
    assert b"Content-Type: image/jpeg" in head
    assert body == PAYLOAD.body


def test_a_connection_that_breaks_is_counted_and_replaced() -> None:
    with answering(lambda number: b"" if number == 2 else OK) as (address, requests):
        found = open_loop(address, PAYLOAD, per_s=100, seconds=0.3, seed=5)

    assert found.others == {0: 1}
    assert len(found.seconds) == len(requests) - 1


def test_a_latency_counts_from_when_the_request_was_due() -> None:
    """And not from when it was sent, should it have been sent late."""

    async def late(address: str) -> float:
        generator = _Generator(address, PAYLOAD)
        await generator._ask(asyncio.get_running_loop().time() - 60)
        generator._connections.close()
        (seconds,) = generator._seconds
        return seconds

    with answering(lambda _: OK) as (address, _):
        assert asyncio.run(late(address)) >= 60


def test_nobody_waits_for_an_answer_before_he_sends() -> None:
    """A server that stands still for a while delays all who come meanwhile, and they count it."""
    stands_still = threading.Event()

    def answer(number: int) -> bytes:
        if number == 0:
            stands_still.wait(0.3)  # blocks the whole server
        return OK

    with answering(answer) as (address, _):
        found = open_loop(address, PAYLOAD, per_s=200, seconds=0.4, seed=7)

    # About three quarters came while it stood still; a closed loop would have sent one of them.
    late = np.sort(found.seconds)[::-1]
    assert len(late[late > 0.05]) > 20
