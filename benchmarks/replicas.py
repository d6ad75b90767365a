"""Several replicas of the service, each on a CPU of its own, and requests that take turns."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

import numpy as np

from benchmarks.connections import Connections
from benchmarks.process import Server, service
from benchmarks.queueing import Seconds


@contextmanager
def running_replicas(count: int, *, cpus: int, places: int) -> Iterator[list[Server]]:
    """So many replicas of so many CPUs each; two share one only where there are too few.

    Meanwhile this thread, which asks them, keeps to the CPUs that are left, if any are.
    """
    everywhere = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        servers = []
        for number in range(count):
            first = number * cpus
            own = {everywhere[cpu % len(everywhere)] for cpu in range(first, first + cpus)}
            os.sched_setaffinity(0, own)  # whatever is started inherits it
            try:
                server = service(max_concurrent_requests=places, threads=cpus, drain_delay_s=0)
                servers.append(stack.enter_context(server))
            finally:
                os.sched_setaffinity(0, everywhere)
        os.sched_setaffinity(0, everywhere[count * cpus :] or everywhere)
        try:
            yield servers
        finally:
            os.sched_setaffinity(0, everywhere)


async def time_one_by_one(server: Server, image: bytes, runs: int) -> tuple[Seconds, float]:
    """How long an idle server takes for each of `runs` images, and the CPU seconds of one."""
    loop = asyncio.get_running_loop()
    with closing(_Client(server)) as client:
        for _ in range(1 + runs // 10):
            await client.post(image)
        seconds, cpu_s = [], server.cpu_s()
        for _ in range(runs):
            begun = loop.time()
            await client.post(image)
            seconds.append(loop.time() - begun)
        return np.array(seconds), (server.cpu_s() - cpu_s) / runs


async def time_saturated(
    servers: Sequence[Server], images: Sequence[bytes], *, in_flight: int
) -> float:
    """Seconds for all the images when each server always has `in_flight` of them to work on."""
    loop = asyncio.get_running_loop()
    left = iter(images)
    with ExitStack() as stack:

        async def ask(client: _Client) -> None:
            for image in left:  # whoever is free takes the next
                await client.post(image)

        clients = [stack.enter_context(closing(_Client(server))) for server in servers]
        begun = loop.time()
        await asyncio.gather(*(ask(client) for client in clients * in_flight))
        return loop.time() - begun


async def time_open_loop(
    servers: Sequence[Server], images: Sequence[bytes], due: Seconds
) -> Seconds:
    """Seconds from due to answered of each image, infinite for one that was refused."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.1
    taken = np.full(len(due), np.inf)
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(_Client(server))) for server in servers]

        async def ask(index: int) -> None:
            if await clients[index % len(clients)].post(images[index]):
                taken[index] = loop.time() - begin - due[index]

        async with asyncio.TaskGroup() as requests:
            for index, moment in enumerate(due.tolist()):
                await asyncio.sleep(max(0.0, begin + moment - loop.time()))
                requests.create_task(ask(index))
    return taken


class _Client:
    """Posts images to one server."""

    def __init__(self, server: Server) -> None:
        authority = server.address.removeprefix("http://")
        self._head = f"POST /predict HTTP/1.1\r\nHost: {authority}\r\nContent-Type: image/jpeg"
        self._connections = Connections(server.address)

    async def post(self, image: bytes) -> bool:
        """Whether the image was answered; false, that all places were taken.

        Raises `RuntimeError` when the answer is anything else.
        """
        connection = await self._connections.take()
        head = f"{self._head}\r\nContent-Length: {len(image)}\r\n\r\n"
        status = await connection.exchange(head.encode() + image)
        self._connections.give(connection)
        if status not in (200, 503):
            raise RuntimeError(f"expected 200 or 503, found {status}")
        return status == 200

    def close(self) -> None:
        self._connections.close()
