"""Thousands of mixed requests, and what they leave in memory."""

import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx2
import numpy as np
from PIL import Image

from benchmarks.payloads import BOUNDARY, IMAGES, Payload, form, raw
from benchmarks.process import Server

CLIENTS = 8
_SAMPLES = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """The server's own memory after so many requests, in MiB."""

    requests: int
    own_mb: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """Memory now and then, the answers by status, and the seconds of each request by number."""

    samples: list[Sample] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, float] = field(default_factory=dict)


def mixture() -> list[Payload]:
    """Requests of every kind, small ones more often, as traffic has them."""
    photo = Image.open(io.BytesIO(IMAGES["photo"]))
    formats = [_encoded(photo, kind) for kind in ("PNG", "WEBP")]
    crowd = Image.new("RGB", (1280, 960))
    for left in range(0, 1280, 320):
        for top in range(0, 960, 240):
            crowd.paste(photo.resize((320, 240)), (left, top))
    return [
        *(raw("crop"), form("crop")) * 4,
        *(raw("photo"), form("photo")) * 2,
        raw("1080p"),
        *formats,
        _encoded(crowd, "JPEG"),
        Payload("/explain", "image/jpeg", IMAGES["photo"]),
        _several(4),
        # What is refused must not stay either.
        Payload("/predict", "image/jpeg", IMAGES["photo"][:5000]),
        Payload("/predict", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(1000)),
        Payload("/predict?max_faces=none", "image/jpeg", IMAGES["crop"]),
        Payload("/predict", "text/plain", b"no image"),
    ]


def soak(
    server: Server, request: Callable[[int], Payload], requests: int, first: int = 0
) -> Soaked:
    """Send the requests of so many numbers from `first` on, several at a time.

    Raises `RuntimeError` for the first one that is answered 5xx, and where the system does not tell
    the server's memory.
    """
    found = Soaked()

    def send(number: int) -> int:
        what = request(number)
        begin = time.monotonic()
        answer = client.post(
            what.path, content=what.body, headers={"Content-Type": what.content_type}
        )
        found.seconds[number] = time.monotonic() - begin
        if answer.status_code >= 500:
            raise RuntimeError(f"request {number}, {what.path}: {answer.text}")
        return answer.status_code

    with (
        httpx2.Client(base_url=server.address, timeout=60) as client,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        step = max(1, requests // _SAMPLES)
        for start in range(first, first + requests, step):
            end = min(start + step, first + requests)
            found.statuses.update(clients.map(send, range(start, end)))
            own_mb = server.own_mb()
            if not own_mb:
                raise RuntimeError(
                    "expected Pss_Anon in /proc/PID/smaps_rollup, of Linux 5.11 or later"
                )
            found.samples.append(Sample(found.statuses.total(), own_mb))
    return found


def slope_mb(samples: Sequence[Sample]) -> float:
    """MiB that 1000 more requests leave, over the second half: the median over pairs of samples.

    The first half fills caches, and the arenas of the graphs with the largest batch. (Theil-Sen
    estimator; a single high sample does not move it.)
    """
    half = samples[len(samples) // 2 :]
    slopes = [
        1000 * (later.own_mb - earlier.own_mb) / (later.requests - earlier.requests)
        for index, earlier in enumerate(half)
        for later in half[index + 1 :]
    ]
    return float(np.median(slopes)) if slopes else 0.0


def _encoded(image: Image.Image, kind: str) -> Payload:
    file = io.BytesIO()
    image.save(file, kind)
    return Payload("/predict", f"image/{kind.lower()}", file.getvalue())


def _several(images: int) -> Payload:
    """A batch of photos."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    part = head.encode() + IMAGES["photo"] + b"\r\n"
    body = part * images + f"--{BOUNDARY}--\r\n".encode()
    return Payload("/predict/batch", f"multipart/form-data; boundary={BOUNDARY}", body)
