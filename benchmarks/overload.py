"""Ten times more photos than the service can answer. `python -m benchmarks.overload`.

Poisson arrivals at 80 % of what it can, then at ten times that for half a minute, then as much as
it can again: what the flood is answered, how long those wait that are answered 200, and what is
left of the throughput right after. With one process, and with one for each CPU. Writes
benchmarks/results/overload.json. Takes ten minutes.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks.payloads import raw
from benchmarks.poisson import Latencies, open_loop
from benchmarks.process import service
from benchmarks.record import machine, record
from benchmarks.rounds import alternate, summary
from benchmarks.wrk import closed_loop
from service.cpus import available_cpus

WORKERS = (1, available_cpus())
CONNECTIONS = 16
TIMES = 10
PHOTO = raw("photo")


@dataclass(frozen=True, slots=True)
class Flood:
    """One service before, in and after a flood."""

    capacity: float
    calm: Latencies
    flood: Latencies
    after: float


def flood(workers: int, seconds: int) -> Flood:
    """What a service of so many processes does when ten times its capacity comes for `seconds`."""
    with service(workers=workers, drain_delay_s=0) as server:
        load = partial(closed_loop, server, PHOTO, connections=CONNECTIONS)
        load(seconds=2)  # warms up
        capacity = load(seconds=4).per_s
        come = partial(open_loop, server.address, PHOTO)
        calm = come(per_s=0.8 * capacity, seconds=15, seed=1)
        flooded = come(per_s=TIMES * capacity, seconds=seconds, seed=2)
        return Flood(capacity, calm, flooded, after=load(seconds=2).per_s)


def row(runs: list[Flood]) -> dict[str, Any]:
    """What several floods say."""
    statuses: Counter[int] = Counter()
    for run in runs:
        statuses.update(run.flood.others)
        statuses[200] += len(run.flood.seconds)
    return {
        "capacity_per_s": round(median(run.capacity for run in runs), 1),
        "flood": {str(status): number for status, number in sorted(statuses.items())},
        "p99_ms_at_80": round(median(run.calm.percentile_ms(99) for run in runs), 1),
        "p99_ms_of_accepted": round(median(run.flood.percentile_ms(99) for run in runs), 1),
        "client_lag_ms": round(1000 * median(run.flood.lag_s for run in runs), 1),
        "waiting": summary(
            [run.flood.percentile_ms(99) / run.calm.percentile_ms(99) for run in runs]
        ),
        "after": summary([run.after / run.capacity for run in runs]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="of the flood")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    begun_on = machine()
    runs = alternate(
        {str(workers): partial(flood, workers, arguments.seconds) for workers in WORKERS},
        arguments.repeats,
    )
    rows = {workers: row(found) for workers, found in runs.items()}
    waiting, after = (
        [found[of]["median"] for found in rows.values()] for of in ("waiting", "after")
    )
    result = {
        "seconds": arguments.seconds,
        "repeats": arguments.repeats,
        "times": TIMES,
        "services": rows,
        "ratios": {
            "p99_accepted_over_p99_at_80": max(waiting),
            "throughput_after": min(after),
        },
    }
    record("overload", begun_on, result)


if __name__ == "__main__":
    main()
