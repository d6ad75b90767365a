"""The ceiling: what the pipeline does without HTTP. `python -m benchmarks.limit`.

The same steps as in the service, called in a loop by a process for each CPU, and by as many threads
of one process, which share its interpreter lock: no server around these steps can be faster. And
the CPU time of each step, and of those that a server adds: receiving, parsing, handing over to
threads and batches, encoding the answer, and all that the application does around the pipeline.
Writes benchmarks/results/limit.json. Takes three minutes.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

from benchmarks.application import application_ms
from benchmarks.bare import BarePipeline
from benchmarks.payloads import IMAGES
from benchmarks.record import machine, record
from benchmarks.rounds import alternate, ratio, summary
from benchmarks.stages import stages_ms
from service.cpus import available_cpus
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Pace:
    """Images a second, and the CPU time of each."""

    per_s: float
    cpu_ms: float


@cache
def bare_pipeline() -> BarePipeline:
    """That of the models which the service serves; one in a process."""
    settings = Settings()
    return BarePipeline(
        settings.models_dir / settings.expression_model,
        settings.models_dir / settings.detector_model,
    )


def pace(bare: BarePipeline, name: str, *, threads: int, seconds: float) -> Pace:
    """How fast `threads` threads analyse one image of `benchmarks.payloads` again and again."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(index: int) -> None:
        while time.perf_counter() < end:
            bare.analyze([IMAGES[name]], detect=name != "crop")
            counts[index] += 1

    begin, cpu = time.perf_counter(), time.process_time()
    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return Pace(sum(counts) / took, 1000 * cpu / sum(counts))


@contextmanager
def processes() -> Iterator[Callable[[str, float], Pace]]:
    """Measures the pace of a process for each CPU, one thread in each: they share no lock.

    What is yielded takes the image's name and the seconds.
    """
    cpus = available_cpus()
    with ProcessPoolExecutor(cpus, get_context("spawn")) as pool:

        def measure(name: str, seconds: float) -> Pace:
            # Each process is busy for so long that it takes one of these.
            runs = [pool.submit(_pace_here, name, seconds) for _ in range(cpus)]
            paces = [run.result() for run in runs]
            per_s = sum(one.per_s for one in paces)
            return Pace(per_s, sum(one.per_s * one.cpu_ms for one in paces) / per_s)

        yield measure


def _pace_here(name: str, seconds: float) -> Pace:
    return pace(bare_pipeline(), name, threads=1, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    begun_on, bare, cpus = machine(), bare_pipeline(), available_cpus()

    def measure(name: str, threads: int) -> Pace:
        return pace(bare, name, threads=threads, seconds=arguments.seconds)

    contestants = {
        f"{name} x {threads}": partial(measure, name, threads)
        for name in IMAGES
        for threads in sorted({1, cpus})
    }
    with processes() as in_processes:
        for name in IMAGES:
            in_processes(name, 1)  # warms up
            contestants[f"{name} in processes"] = partial(in_processes, name, arguments.seconds)
        paces = alternate(contestants, arguments.repeats)
    images: dict[str, Any] = {}
    for name in IMAGES:
        one, all_ = ([run.per_s for run in paces[f"{name} x {n}"]] for n in (1, cpus))
        stages = {**stages_ms(name, bare), "application": application_ms(name)}
        images[name] = {
            "bytes": len(IMAGES[name]),
            "per_s": summary([run.per_s for run in paces[f"{name} in processes"]]),
            "per_s_of_threads": summary(all_),
            "per_s_of_one_thread": summary(one),
            "cpu_ms": summary([run.cpu_ms for run in paces[f"{name} in processes"]]),
            "stages_ms": {stage: round(ms, 3) for stage, ms in stages.items()},
        }
    ratios = {
        f"{name}_{what}_vs_one_thread": ratio(
            [run.per_s for run in paces[f"{name} {how}"]],
            [run.per_s for run in paces[f"{name} x 1"]],
        )
        for name in IMAGES
        for what, how in (("processes", "in processes"), ("threads", f"x {cpus}"))
    }
    result = {
        "seconds": arguments.seconds,
        "repeats": arguments.repeats,
        "cpus": cpus,
        "images": images,
        "ratios": ratios,
    }
    record("limit", begun_on, result)


if __name__ == "__main__":
    main()
