"""The service as clients meet it: throughput and latency. `python -m benchmarks.service`.

Closed loop: wrk keeps 16 requests under way and counts the answers, for each image, raw and as a
form, with one process and with one for each CPU. The limit takes part in the same rounds, as a
process for each CPU and, for photos, as a thread for each CPU too; what HTTP, threads, batches,
logs and metrics cost is the ratio of service and limit. Open loop: Poisson arrivals at 50 and 80 %
of what the server does just before, as other tenants of the machine take more at one time than at
another. Writes benchmarks/results/service.json. Takes 27 minutes.

The clients run on the same CPUs as the server, and what they take is missing in its throughput. The
limit has no client: where the two are compared, it is by what they do with a CPU that they have to
themselves.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks.limit import Pace, bare_pipeline, pace, processes
from benchmarks.payloads import IMAGES, Payload, form, raw
from benchmarks.poisson import Latencies, open_loop
from benchmarks.process import Server, service
from benchmarks.record import machine, record
from benchmarks.rounds import alternate, ratio, summary
from benchmarks.wrk import Throughput, closed_loop
from service.cpus import available_cpus

CONNECTIONS = 16
CAPACITY_S = 2
MORE_ROUNDS = 3  # times as many again for what is promised
LOADS = (50, 80)  # per cent of the throughput
WORKERS = (1, available_cpus())
THREADS = "photo, threads"
FORMS = {"raw": raw, "form": form}

Limit = Callable[[str, float], Pace]


def throughput(
    servers: dict[int, Server], limit: Limit, seconds: int, repeats: int
) -> tuple[dict[str, list[Throughput]], dict[str, list[Pace]]]:
    """Of each image in each form on each server, and of the limit, in the same rounds.

    Of photos on as many processes as CPUs, and of their limit, more rounds follow.
    """
    contestants: dict[str, partial[Throughput] | partial[Pace]] = {}
    for name in IMAGES:
        limit(name, 1)  # warms up
        contestants[f"limit {name}"] = partial(limit, name, seconds)
        for how, payload in FORMS.items():
            for workers, server in servers.items():
                closed_loop(server, payload(name), connections=CONNECTIONS, seconds=1)  # warms up
                contestants[f"{name} {how} {workers}"] = partial(
                    closed_loop, server, payload(name), connections=CONNECTIONS, seconds=seconds
                )
    contestants[f"limit {THREADS}"] = partial(
        pace, bare_pipeline(), "photo", threads=available_cpus(), seconds=seconds
    )
    found: Any = alternate(contestants, repeats)
    photo = ("limit photo", f"limit {THREADS}", f"photo raw {WORKERS[-1]}")
    compared = {key: contestants[key] for key in photo}
    for key, runs in alternate(compared, MORE_ROUNDS * repeats).items():
        found[key] += runs
    limits = {name: found.pop(f"limit {name}") for name in (*IMAGES, THREADS)}
    return found, limits


@dataclass(frozen=True, slots=True)
class Opened:
    """What came at a share of what the server could do, and how long it took."""

    per_s: float
    latencies: Latencies


def latencies(servers: dict[int, Server], seconds: int, repeats: int) -> dict[str, list[Opened]]:
    """Of each raw image on each server, at each share of its capacity."""
    rounds = itertools.count()

    def measure(server: Server, payload: Payload, load: int) -> Opened:
        capacity = closed_loop(server, payload, connections=CONNECTIONS, seconds=CAPACITY_S).per_s
        per_s = capacity * load / 100
        # Other arrivals in every run, and the same in every repetition of the whole.
        found = open_loop(server.address, payload, per_s=per_s, seconds=seconds, seed=next(rounds))
        return Opened(per_s, found)

    contestants = {
        f"{name} {workers} {load}": partial(measure, server, raw(name), load)
        for name in IMAGES
        for workers, server in servers.items()
        for load in LOADS
    }
    return alternate(contestants, repeats)


def open_summary(runs: list[Opened]) -> dict[str, Any]:
    """Of several runs at one share."""
    of = [run.latencies for run in runs]
    others = sum((run.others for run in of), Counter[int]())
    return {
        "per_s": round(median(run.per_s for run in runs), 1),
        "requests": sum(len(run.seconds) for run in of),
        "others": {str(status): n for status, n in others.items()},
        **{f"p{p}_ms": round(median(run.percentile_ms(p) for run in of), 2) for p in (50, 95, 99)},
        "p99_over_p50": round(median(run.tail for run in of), 2),
        "client_lag_ms": round(1000 * median(run.lag_s for run in of), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each closed loop")
    parser.add_argument("--open-seconds", type=int, default=15, help="of each open loop")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    begun_on = machine()
    with ExitStack() as stack:
        servers = {workers: stack.enter_context(service(workers=workers)) for workers in WORKERS}
        limit = stack.enter_context(processes())
        closed, limits = throughput(servers, limit, arguments.seconds, arguments.repeats)
        opened = latencies(servers, arguments.open_seconds, arguments.repeats)

    most = WORKERS[-1]

    def against_limit(name: str, workers: int, limit: str = "") -> float:
        """What a CPU does for the service, by what it does for the steps alone."""
        cpus, runs = available_cpus(), closed[f"{name} raw {workers}"]
        served = [run.per_s / (cpus - run.client_cpus) for run in runs]
        # The further rounds, if there were any, come last.
        return ratio(served, [run.per_s / cpus for run in limits[limit or name][: len(runs)]])

    def tail(workers: int) -> float:
        return round(median(run.latencies.tail for run in opened[f"photo {workers} 80"]), 2)

    result = {
        "seconds": arguments.seconds,
        "open_seconds": arguments.open_seconds,
        "repeats": arguments.repeats,
        "connections": CONNECTIONS,
        "closed_loop": {
            key: {
                "per_s": summary([run.per_s for run in runs]),
                "cpu_ms": summary([run.cpu_ms for run in runs]),
                "client_cpus": round(median(run.client_cpus for run in runs), 3),
                "p50_ms": round(median(run.p50_ms for run in runs), 2),
                "p99_ms": round(median(run.p99_ms for run in runs), 2),
            }
            for key, runs in closed.items()
        },
        "limit": {
            name: {
                "per_s": summary([run.per_s for run in runs]),
                "cpu_ms": summary([run.cpu_ms for run in runs]),
            }
            for name, runs in limits.items()
        },
        "open_loop": {key: open_summary(runs) for key, runs in opened.items()},
        "ratios": {
            "photos_vs_limit": against_limit("photo", most, THREADS),
            "photos_vs_limit_in_processes": against_limit("photo", most),
            "crops_vs_limit": against_limit("crop", most),
            "1080p_vs_limit": against_limit("1080p", most),
            "photos_of_one_process_vs_limit": against_limit("photo", 1, THREADS),
            "p99_over_p50_at_80": tail(most),
            "p99_over_p50_at_80_of_one_process": tail(1),
        },
    }
    record("service", begun_on, result)


if __name__ == "__main__":
    main()
