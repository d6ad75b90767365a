"""Open loop: requests that come when they come, whether or not the server keeps up.

Real clients do not wait for each other. Arrivals are a Poisson process, drawn beforehand, and a
latency counts from the moment at which the request should have been sent: neither a slow server nor
a late client can hide waiting ("coordinated omission").
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import uvloop
from numpy.typing import NDArray

from benchmarks.connections import Connections
from benchmarks.payloads import Payload

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from due to answered, of what was answered with 200, and what else came back.

    `lag_s` is the 99th percentile of how late the client itself sent.
    """

    seconds: NDArray[np.float64]
    others: Counter[int]  # by status; 0 for a connection that broke
    lag_s: float

    def percentile_ms(self, percent: float) -> float:
        return 1000 * float(np.percentile(self.seconds, percent))

    @property
    def tail(self) -> float:
        """How many times as long as half of all the slowest hundredth waits."""
        return self.percentile_ms(99) / self.percentile_ms(50)


def arrivals(per_s: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Times from 0 to `seconds` at which requests are due, `per_s` of them in a second."""
    random = np.random.default_rng(seed)
    expected = per_s * seconds
    most = int(expected + 10 * expected**0.5 + 10)
    times = random.exponential(1 / per_s, most).cumsum()
    return times[times < seconds]


def open_loop(
    address: str, payload: Payload, *, per_s: float, seconds: float, seed: int
) -> Latencies:
    """Post `payload` at random times, `per_s` times a second, for so many seconds."""
    due = arrivals(per_s, seconds, seed)
    return uvloop.run(_Generator(address, payload).run(due.tolist()))


class _Generator:
    """Sends each request at its time, on a connection that is free or on a new one."""

    def __init__(self, address: str, payload: Payload) -> None:
        parts = urlsplit(address)
        self._connections = Connections(address)
        head = (
            f"POST {payload.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: {payload.content_type}\r\nContent-Length: {len(payload.body)}\r\n\r\n"
        )
        self._request = head.encode() + payload.body
        self._seconds: list[float] = []
        self._lags: list[float] = []
        self._others: Counter[int] = Counter()

    async def run(self, due: Sequence[float]) -> Latencies:
        loop = asyncio.get_running_loop()
        begin = loop.time() + 0.1
        async with asyncio.TaskGroup() as requests:
            for moment in due:
                await asyncio.sleep(max(0.0, begin + moment - loop.time()))
                requests.create_task(self._ask(begin + moment))
        self._connections.close()
        lag = float(np.percentile(self._lags, 99))
        return Latencies(np.array(self._seconds), self._others, lag)

    async def _ask(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                connection = await self._connections.take()
                self._lags.append(loop.time() - due)
                status = await connection.exchange(self._request)
        except (OSError, TimeoutError):
            status = 0
        else:
            self._connections.give(connection)
        if status == 200:
            self._seconds.append(loop.time() - due)
        else:
            self._others[status] += 1
