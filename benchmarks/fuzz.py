"""What damaged images can do to the service. `python -m benchmarks.fuzz`.

100,000 mutants of real JPEG, PNG and WebP files and their EXIF, each posted to a running service.
Fails if one is answered 5xx, if one takes longer than a second also when it is sent alone, or if
memory grows. Writes benchmarks/results/fuzz.json. Takes ten minutes.

Here the service gives each image's memory back at once. By itself it keeps that of the largest for
the next: one mutant in two thousand asks for a hundred times as many pixels as the others, and what
such steps leave would hide a leak, or look like one.
"""

import argparse
import sys
import time

import httpx2

from benchmarks.mutants import mutant
from benchmarks.payloads import Payload
from benchmarks.process import Server, service
from benchmarks.record import machine, record
from benchmarks.soak import slope_mb, soak

LONGEST_S = 1.0
MOST_MB_PER_1000 = 0.1
_LARGEST_KEPT = 128 * 2**10  # bytes, as of mallopt(3); what is in use for longer is smaller


def request(number: int) -> Payload:
    """A mutant as one crop; every tenth is searched for faces too."""
    path = "/predict" if number % 10 == 0 else "/predict?detect=false"
    return Payload(path, "application/octet-stream", mutant(number))


def alone_s(server: Server, number: int) -> float:
    """The least of three times that a request takes while there is no other."""
    what, times = request(number), []
    with httpx2.Client(base_url=server.address, timeout=60) as client:
        for _ in range(3):
            begin = time.monotonic()
            client.post(what.path, content=what.body, headers={"Content-Type": what.content_type})
            times.append(time.monotonic() - begin)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    arguments = parser.parse_args()
    begun_on = machine()
    with service({"MALLOC_MMAP_THRESHOLD_": str(_LARGEST_KEPT)}, drain_delay_s=0) as server:
        before = server.resident_mb()
        found = soak(server, request, arguments.inputs, arguments.first)
        after = server.resident_mb()
        longest = {
            number: alone_s(server, number)
            for number, seconds in found.seconds.items()
            if seconds > LONGEST_S
        }
    slope = slope_mb(found.samples)
    result = {
        "inputs": arguments.inputs,
        "first": arguments.first,
        "statuses": {str(status): number for status, number in sorted(found.statuses.items())},
        "over_a_second_alone": [n for n, seconds in longest.items() if seconds > LONGEST_S],
        "resident_mb": {"before": round(before), "after": round(after)},
        "ratios": {
            "answered_200": round(found.statuses[200] / arguments.inputs, 3),
            "slope_mb_per_1000": round(slope, 3),
        },
    }
    record("fuzz", begun_on, result)
    if result["over_a_second_alone"]:
        sys.exit(f"expected no mutant to take a second, found {result['over_a_second_alone']}")
    if slope > MOST_MB_PER_1000:
        sys.exit(f"expected memory to stay, found {slope:.3f} MiB more for each 1000 mutants")


if __name__ == "__main__":
    main()
