"""How many replicas for so many photos a second? `python -m benchmarks.capacity`.

Measures how long one replica with one CPU takes for photos of three sizes, and lets
benchmarks.queueing find out how many of them it answers in time when they come by chance. How long
a photo takes is measured one by one, and scaled to the pace of a replica that always has several to
work on. Then it checks that against the service: one and two replicas, each on a CPU of its own,
asked in turns, the same photos at the same times as in the simulation, at the pace that so many
replicas have here: where no CPU is left for the one who asks, it is slower.

Writes benchmarks/results/capacity.json and the tables of docs/operations.md, and fails where the
measured 99th percentile, or the share of refused requests, is not what the simulation says of a
load that is at most a tenth higher or lower, give or take a quarter of the time and two points of
the requests: near saturation a little more load makes much of a difference. About six minutes.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import uvloop

from benchmarks.capacity_page import PAGE, render
from benchmarks.detect import SIZES, photo
from benchmarks.process import Server
from benchmarks.queueing import Seconds, most_per_s, simulate
from benchmarks.record import RESULTS, machine, record
from benchmarks.replicas import (
    running_replicas,
    time_one_by_one,
    time_open_loop,
    time_saturated,
)

# One replica and its autoscaler, as k8s/base has them.
CPUS, PLACES, AUTOSCALED = 1, 32, 0.65

MIXED = "all three alike"
WITHIN_MS = (100, 250, 500)
RATES = (10, 100, 1000)
DRAWN = 50_000  # requests of a simulation
IN_FLIGHT = 4  # requests that keep a replica busy all the time
LOADS = (0.5, 0.7, 0.85)  # of what all CPUs together can do; above 1 there is a flood

# The 99th percentile of a thousand requests rests on ten of them.
LOAD_OFF, P99_OFF, REFUSED_OFF = 0.1, 0.25, 0.02


def measure(runs: int, requests: int) -> dict[str, Any]:
    """`runs` photos of each size by themselves, `requests` of each load; JSON-ready."""
    images = {name: photo(*pixels) for name, pixels in SIZES.items()}
    services: dict[str, Seconds] = {}
    cpu_s: dict[str, float] = {}
    with running_replicas(1, cpus=CPUS, places=PLACES) as (server,):
        models = httpx2.get(f"{server.address}/model").raise_for_status().json()
        for name, image in images.items():
            alone, cpu_s[name] = uvloop.run(time_one_by_one(server, image, runs))
            services[name] = at_pace(alone, [server], [image] * runs)
    random = np.random.default_rng(0)
    drawn = {name: random.choice(times, DRAWN) for name, times in services.items()}
    drawn[MIXED] = random.permutation(np.concatenate(list(drawn.values())))[:DRAWN]
    cpu_s[MIXED] = float(np.mean(list(cpu_s.values())))
    photos = {name: carries(times, cpu_s[name]) for name, times in drawn.items()}
    return {
        "replica": {"cpus": CPUS, "places": PLACES},
        "models": {name: f"{of['version']} {of['precision']}" for name, of in models.items()},
        "photos": photos,
        "replicas_for_per_s": {
            str(rate): {
                within: math.ceil(rate / per_s) if per_s else None
                for within, per_s in photos[MIXED]["per_s_within_ms"].items()
            }
            for rate in RATES
        },
        "checks": [
            row
            for count in (1, 2)
            for row in check(count, list(images.values()), list(services.values()), requests)
        ],
    }


def carries(services: Seconds, cpu_s: float) -> dict[str, Any]:
    """What one replica carries of requests like these, and what a million of them cost."""
    saturation = CPUS / float(services.mean())
    due = np.random.default_rng(0).exponential(1.0, len(services)).cumsum()
    autoscaled = simulate(
        due / (AUTOSCALED * saturation), services, [0] * len(due), cpus=CPUS, places=PLACES
    )
    per_s = {
        str(within): most_per_s(services, cpus=CPUS, places=PLACES, p99_s=within / 1000)
        for within in WITHIN_MS
    }
    return {
        "ms": round(1000 * float(services.mean()), 2),
        "cpu_ms": round(1000 * cpu_s, 2),
        "cpu_hours_a_million": round(cpu_s * 1e6 / 3600, 2),
        "saturation_per_s": round(saturation, 1),
        "autoscaled_p99_ms": summary(autoscaled)["p99_ms"],
        "per_s_within_ms": {within: round(rate, 1) for within, rate in per_s.items()},
    }


def check(
    count: int, images: list[bytes], services: list[Seconds], requests: int
) -> Iterator[dict[str, Any]]:
    """The same requests, simulated and measured, for each of `LOADS` on so many replicas."""
    random = np.random.default_rng(1)
    kinds = random.integers(len(images), size=requests)
    sent = [images[kind] for kind in kinds]
    drawn = np.array([random.choice(services[kind]) for kind in kinds])
    turns = (np.arange(requests) % count).tolist()
    with running_replicas(count, cpus=CPUS, places=PLACES) as servers:
        drawn = at_pace(drawn, servers, sent)
        gaps = random.exponential(drawn.mean() / CPUS / count, requests)
        for load in LOADS:
            due = (gaps / load).cumsum()
            measured = uvloop.run(time_open_loop(servers, sent, due))
            less, simulated, more = (
                summary(simulate(due / faster, drawn, turns, cpus=CPUS, places=PLACES))
                for faster in (1 - LOAD_OFF, 1, 1 + LOAD_OFF)
            )
            yield {
                "replicas": count,
                "load": load,
                "per_s": round(load * count * CPUS / float(drawn.mean()), 1),
                "requests": requests,
                "measured": summary(measured),
                "simulated": simulated,
                "simulated_at_less": less,
                "simulated_at_more": more,
            }


def at_pace(services: Seconds, servers: list[Server], images: list[bytes]) -> Seconds:
    """The service times, scaled so that their mean is what the images take of busy replicas."""
    total = uvloop.run(time_saturated(servers, images, in_flight=IN_FLIGHT))
    return services * (total * len(servers) * CPUS / len(images) / float(services.mean()))


def summary(taken: Seconds) -> dict[str, float]:
    """Percentiles of what was answered, and the share that was refused."""
    answered = taken[np.isfinite(taken)]
    p50, p99 = np.percentile(answered, (50, 99)).tolist()
    return {
        "p50_ms": round(1000 * p50, 1),
        "p99_ms": round(1000 * p99, 1),
        "refused": round(1 - len(answered) / len(taken), 4),
    }


def agrees(row: dict[str, Any]) -> bool:
    """Whether a check measured what is simulated of a load that is hardly another."""
    measured, less, more = (
        row[of] for of in ("measured", "simulated_at_less", "simulated_at_more")
    )
    p99, refused = measured["p99_ms"], measured["refused"]
    return bool(
        (1 - P99_OFF) * less["p99_ms"] <= p99 <= (1 + P99_OFF) * more["p99_ms"]
        and less["refused"] - REFUSED_OFF <= refused <= more["refused"] + REFUSED_OFF
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="photos of each size")
    parser.add_argument("--requests", type=int, default=1000, help="of each load")
    arguments = parser.parse_args()
    begun_on = machine()
    result = measure(arguments.runs, arguments.requests)
    record("capacity", begun_on, result)
    PAGE.write_text(render(PAGE.read_text(), RESULTS / "capacity.json"))
    if not all(agrees(row) for row in result["checks"]):
        sys.exit("the simulation is not what was measured; is the machine idle?")


if __name__ == "__main__":
    main()
