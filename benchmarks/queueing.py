"""What becomes of requests that share replicas: a queue simulation without a service.

Kendall's M/G/c/K, once for each replica: any arrivals, any service times, c CPUs that work on one
request each, first come first served, K places in all, and no waiting outside: who finds every
place taken is refused at once, as `service.admission` does it. That is the service as long as few
are refused. In a flood, `service.line` has another order, which `benchmarks.overload` measures.
"""

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]

MOST_REFUSED = 0.001  # what the objective of 99.9 % availability leaves


def simulate(
    arrivals: Seconds, services: Seconds, replicas: Sequence[int], *, cpus: int, places: int
) -> Seconds:
    """Seconds from arrival to answer of each request, infinite for one that was refused.

    `arrivals` (n,) are times in ascending order, `services` (n,) what each request keeps one CPU
    busy for, `replicas` (n,) whose CPU that is, from 0.
    """
    free = [[0.0] * cpus for _ in range(max(replicas) + 1)]  # heaps: when each CPU is free again
    inside: list[list[float]] = [[] for _ in free]  # heaps: when each request is answered
    taken = np.full(len(arrivals), np.inf)
    for index, (arrival, service, replica) in enumerate(
        zip(arrivals.tolist(), services.tolist(), replicas, strict=True)
    ):
        answers = inside[replica]
        while answers and answers[0] <= arrival:
            heapq.heappop(answers)
        if len(answers) >= places:
            continue
        end = max(arrival, free[replica][0]) + service
        heapq.heapreplace(free[replica], end)
        heapq.heappush(answers, end)
        taken[index] = end - arrival
    return taken


def most_per_s(services: Seconds, *, cpus: int, places: int, p99_s: float) -> float:
    """Requests a second that one replica takes, 99 % of them answered within `p99_s`.

    `services` (n,) are drawn beforehand; at most the share `MOST_REFUSED` is refused. Where a
    balancer picks replicas by chance, Poisson arrivals are Poisson arrivals at each of them, so
    that N replicas take N times as many; one that takes turns does a little better. 0.0 where even
    a replica that never has two requests is too slow.
    """
    gaps = np.random.default_rng(0).exponential(1.0, len(services))
    nobody = [0] * len(services)

    def suffices(per_s: float) -> bool:
        taken = simulate(gaps.cumsum() / per_s, services, nobody, cpus=cpus, places=places)
        return bool(np.mean(taken > p99_s) <= 0.01 and np.mean(np.isinf(taken)) <= MOST_REFUSED)

    saturation = cpus / float(services.mean())
    low, high = 0.0, saturation
    while high - low > 0.002 * saturation:
        middle = (low + high) / 2
        low, high = (middle, high) if suffices(middle) else (low, middle)
    return low
