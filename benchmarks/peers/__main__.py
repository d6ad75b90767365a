"""mien beside other servers on this machine. `python -m benchmarks.peers`.

LitServe, BentoML, MLServer and Ray Serve run the same graphs and the same steps, which they import
from mien itself; their batching is on. Those steps without any server, in a process for each CPU,
take part too: what a server that costs nothing would give. `fer` runs behind FastAPI, as its users
do. Of each, mien too, several numbers of processes and sizes of batches are tried, and the fastest
is compared. All get the same photo of 640 x 480 from the same client (wrk, 16 connections), in the
form that each takes it fastest, and must answer what mien does. They start anew in every round, one
at a time, in alternating order.

The first run makes their environments under .cache/peers, which takes 3 GB. One that cannot be
installed or started is left out, and the result says why. Writes benchmarks/results/peers.json.
Takes forty minutes.
"""

import argparse
import itertools
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import httpx2

from benchmarks.limit import Pace, bare_pipeline, processes
from benchmarks.payloads import IMAGES
from benchmarks.peers.answers import check_answer
from benchmarks.peers.contestants import (
    FER,
    FRAMEWORKS,
    MIEN,
    MIEN_FORM,
    PHOTO,
    Contestant,
    Tuning,
)
from benchmarks.poisson import Latencies, open_loop
from benchmarks.process import Server
from benchmarks.record import machine, record
from benchmarks.rounds import alternate, ratio, summary
from benchmarks.wrk import Throughput, closed_loop

CONNECTIONS = 16
FIRST_S = 60
TUNING_ROUNDS = 2
WARM_UP_S = 3  # as long as BentoML's batching learns
LOAD = 0.8


@dataclass(frozen=True, slots=True)
class Run:
    """What one start of a server gave: as much as it can, and four fifths of that."""

    closed: Throughput
    opened: Latencies
    resident_mb: float


def loaded(server: Server, contestant: Contestant) -> Callable[..., Throughput]:
    """A closed loop on a server that is warm, and right."""
    payload = contestant.payload
    headers = {"Content-Type": payload.content_type}
    url = server.address + payload.path
    # What is ready may still take longer for its first answer than a closed loop lasts.
    first = httpx2.post(url, content=payload.body, headers=headers, timeout=FIRST_S)
    first.raise_for_status()
    ((face,),) = bare_pipeline().analyze([IMAGES[PHOTO]])
    check_answer(first.text, face["emotion"], same_graphs=contestant.same_graphs)
    load = partial(closed_loop, server, payload, connections=CONNECTIONS)
    load(seconds=WARM_UP_S)
    return load


def tune(contestant: Contestant, seconds: int) -> list[tuple[Tuning, float]]:
    """Each tuning and its requests a second, which are the median of several rounds."""

    def measure(tuning: Tuning) -> float:
        with contestant.start(tuning) as server:
            return loaded(server, contestant)(seconds=seconds).per_s

    measurements = {str(tuning): partial(measure, tuning) for tuning in contestant.tunings}
    paces = alternate(measurements, TUNING_ROUNDS)
    found = [(tuning, median(paces[str(tuning)])) for tuning in contestant.tunings]
    for tuning, per_s in found:
        print(f"{contestant.title}: {tuning}: {per_s:.1f} a second", flush=True)
    return found


def fastest(tried: Sequence[tuple[Tuning, float]]) -> Tuning:
    return max(tried, key=lambda one: one[1])[0]


class Measurement:
    """Measures contestants, each with its tuning."""

    def __init__(self, seconds: int, open_seconds: int) -> None:
        self._seconds = seconds
        self._open_seconds = open_seconds
        self._seeds = itertools.count()

    def __call__(self, contestant: Contestant, tuning: Tuning) -> Run:
        with contestant.start(tuning) as server:
            load = loaded(server, contestant)
            closed = load(seconds=self._seconds)
            opened = open_loop(
                server.address,
                contestant.payload,
                per_s=LOAD * closed.per_s,
                seconds=self._open_seconds,
                seed=next(self._seeds),
            )
            return Run(closed, opened, server.resident_mb())


def row(contestant: Contestant, runs: list[Run]) -> dict[str, Any]:
    """What several rounds say of one contestant."""
    return {
        "title": contestant.title,
        "per_s": summary([run.closed.per_s for run in runs]),
        "cpu_ms": summary([run.closed.cpu_ms for run in runs]),
        "p50_ms_at_80": round(median(run.opened.percentile_ms(50) for run in runs), 2),
        "p99_ms_at_80": round(median(run.opened.percentile_ms(99) for run in runs), 2),
        "p99_over_p50_at_80": tail(runs),
        "not_200_at_80": sum(run.opened.others.total() for run in runs),
        "resident_mb": round(median(run.resident_mb for run in runs)),
    }


def tail(runs: list[Run]) -> float:
    """p99 / p50 of the open loop."""
    return round(median(run.opened.tail for run in runs), 2)


def ratios(runs: Mapping[str, list[Run]], bare: list[Pace]) -> dict[str, float | str]:
    """How many times as many photos mien answers in the same time; `bare` is without a server."""
    pace = {name: [run.closed.per_s for run in of] for name, of in runs.items()}
    found: dict[str, float | str] = {"p99_over_p50_at_80": tail(runs["mien"])}
    frameworks = [name for name in FRAMEWORKS if name in pace]
    if frameworks:
        best = max(frameworks, key=lambda name: median(pace[name]))
        found["best_framework"] = best
        found["vs_best_framework"] = ratio(pace["mien"], pace[best])
        found["no_server_vs_best_framework"] = ratio([run.per_s for run in bare], pace[best])
        found |= {f"vs_{name}": ratio(pace["mien"], pace[name]) for name in frameworks}
    if "fer" in pace:
        found["vs_fer"] = ratio(pace["mien_form"], pace["fer"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each closed loop")
    parser.add_argument("--open-seconds", type=int, default=15, help="of each open loop")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    begun_on = machine()

    # Without mien there is nothing to compare; without another, there is.
    contestants = {"mien": MIEN, "mien_form": MIEN_FORM}
    tried = {name: tune(ours, arguments.seconds) for name, ours in contestants.items()}
    tunings = {name: fastest(found) for name, found in tried.items()}
    left_out = {}
    for name, peer in {**FRAMEWORKS, "fer": FER}.items():
        try:
            tried[name] = tune(peer, arguments.seconds)
        except (RuntimeError, subprocess.CalledProcessError, httpx2.HTTPError) as error:
            left_out[peer.title] = str(error)
            print(f"{peer.title} is left out: {error}", flush=True)
            continue
        contestants[name], tunings[name] = peer, fastest(tried[name])

    measure = Measurement(arguments.seconds, arguments.open_seconds)
    with processes() as bare:
        bare(PHOTO, WARM_UP_S)
        measurements: dict[str, Callable[[], Any]] = {
            name: partial(measure, contestant, tunings[name])
            for name, contestant in contestants.items()
        }
        measurements["no_server"] = partial(bare, PHOTO, arguments.seconds)
        runs = alternate(measurements, arguments.repeats)
    without: list[Pace] = runs.pop("no_server")
    result = {
        "seconds": arguments.seconds,
        "open_seconds": arguments.open_seconds,
        "repeats": arguments.repeats,
        "connections": CONNECTIONS,
        "contestants": {name: row(contestants[name], runs[name]) for name in contestants},
        "no_server": {
            "per_s": summary([run.per_s for run in without]),
            "cpu_ms": summary([run.cpu_ms for run in without]),
        },
        "tunings": {
            name: [{**asdict(tuning), "per_s": round(per_s, 1)} for tuning, per_s in of]
            for name, of in tried.items()
        },
        "left_out": left_out,
        "ratios": ratios(runs, without),
    }
    record("peers", begun_on, result)


if __name__ == "__main__":
    main()
