"""What an explanation costs beside a prediction: `python -m benchmarks.explain`.

Asks a service with one thread in turn for a prediction, a heat map as JSON and one as a picture,
and counts the CPU time that each took it, which other programs hardly change. For a JPEG of
640 x 480 and one of 12 megapixels; and what writing the picture costs, as we do and as Pillow does
by itself. Writes benchmarks/results/explain.json, and fails where an explanation costs more than
three predictions. Takes half a minute.
"""

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from benchmarks.detect import SIZES, cost, photo
from benchmarks.process import Server, service
from benchmarks.record import machine, record
from benchmarks.rounds import alternate, summary
from service.png import encode_png

PHOTOS = ("640 x 480", "12 megapixels")
ASKED = {
    "predict": ("/predict", "application/json"),
    "explain as JSON": ("/explain", "application/json"),
    "explain as PNG": ("/explain", "image/png"),
}
ROUNDS, REQUESTS = 6, 10  # CPU time is counted in hundredths of a second
MOST = 3.0  # predictions


def ask(client: httpx2.Client, route: str, accept: str, image: bytes) -> bytes:
    headers = {"Content-Type": "image/jpeg", "Accept": accept}
    return client.post(route, content=image, headers=headers).raise_for_status().content


def cpu_ms(server: Server, client: httpx2.Client, route: str, accept: str, image: bytes) -> float:
    """CPU time of the service for one answer."""
    before = server.cpu_s()
    for _ in range(REQUESTS):
        ask(client, route, accept, image)
    return 1000 * (server.cpu_s() - before) / REQUESTS


def measure(server: Server, client: httpx2.Client, image: bytes) -> dict[str, Any]:
    """Each kind of answer: its CPU time, and how many predictions that is."""
    work = {
        name: partial(cpu_ms, server, client, *asked, image=image) for name, asked in ASKED.items()
    }
    alternate(work, 1)  # each photo's first answer allocates what later ones use
    measured = alternate(work, ROUNDS)
    least = min(measured["predict"])
    return {
        name: {"cpu_ms": summary(values), "predictions": round(min(values) / least, 2)}
        for name, values in measured.items()
    }


def writing(png: bytes) -> dict[str, Any]:
    """A picture written again: time and size, as the service does it and as Pillow does."""
    picture = Image.open(BytesIO(png))
    pixels = np.asarray(picture)

    def ours() -> int:
        return len(encode_png(pixels))

    def pillows(**options: int) -> int:
        file = BytesIO()
        picture.save(file, "PNG", **options)
        return file.tell()

    ways: dict[str, Callable[[], int]] = {
        "as we do": ours,
        # Runs alone and little effort, as ours.
        "as Pillow does at its fastest": partial(pillows, compress_type=3, compress_level=1),
        "as Pillow does": pillows,
    }
    return {
        name: {"ms": round(cost(write)[0], 1), "bytes": write()} for name, write in ways.items()
    }


def main() -> None:
    begun_on = machine()
    with service(threads=1) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
        result = {
            "models": server.models(),
            **{name: measure(server, client, photo(*SIZES[name])) for name in PHOTOS},
            "writing the picture of 12 megapixels": writing(
                ask(client, *ASKED["explain as PNG"], photo(*SIZES["12 megapixels"]))
            ),
        }
    record("explain", begun_on, result)
    if max(kind["predictions"] for name in PHOTOS for kind in result[name].values()) > MOST:
        sys.exit(f"expected an explanation to cost at most {MOST:g} predictions")


if __name__ == "__main__":
    main()
