"""How fast the service starts, and how much memory it keeps. `python -m benchmarks.startup`.

Start to ready, the median of several starts; then memory (proportional set size) idle, under load,
and after a soak of 20,000 mixed requests: photos of every size and format, forms, batches,
explanations, and hostile bytes. The slope is that of its second half. Writes
benchmarks/results/startup.json. Takes ten minutes.
"""

import argparse
from statistics import median

from benchmarks.payloads import raw
from benchmarks.process import Server, service
from benchmarks.record import machine, record
from benchmarks.rounds import summary
from benchmarks.soak import mixture, slope_mb, soak
from benchmarks.wrk import closed_loop

CONNECTIONS = 16


def ready_s(starts: int) -> list[float]:
    """Seconds from the start of the process to the first 200 of its readiness."""
    found = []
    for _ in range(starts):
        with service(drain_delay_s=0) as server:
            found.append(server.ready_s)
    return found


def under_load_mb(server: Server, seconds: int) -> float:
    """Memory right after as many photos as it can take."""
    closed_loop(server, raw("photo"), connections=CONNECTIONS, seconds=seconds)
    return server.resident_mb()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of load")
    parser.add_argument("--repeats", type=int, default=7, help="starts")
    parser.add_argument("--requests", type=int, default=20_000, help="of the soak")
    arguments = parser.parse_args()
    begun_on = machine()
    starts = ready_s(arguments.repeats)
    with service(drain_delay_s=0) as server:
        idle = server.resident_mb()
        loaded = under_load_mb(server, arguments.seconds)
        kinds = mixture()
        soaked = soak(server, lambda number: kinds[number % len(kinds)], arguments.requests)
        after = server.resident_mb()
    result = {
        "repeats": arguments.repeats,
        "ready_s": summary(starts),
        "resident_mb": {
            "idle": round(idle),
            "under_load": round(loaded),
            "after_soak": round(after),
        },
        "soak": {
            "requests": arguments.requests,
            "statuses": {str(status): number for status, number in sorted(soaked.statuses.items())},
            "slope_mb_per_1000_requests": round(slope_mb(soaked.samples), 3),
            "own_mb": {str(sample.requests): round(sample.own_mb, 1) for sample in soaked.samples},
        },
        "ratios": {"ready_s": round(median(starts), 2), "rss_mb": round(after)},
    }
    record("startup", begun_on, result)


if __name__ == "__main__":
    main()
