"""Real image files with damage, hundreds here; `python -m benchmarks.fuzz` sends 100,000."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.mutants import SIZE, mutant, originals
from service.errors import ServiceError
from service.images import ImageLimits, decode_image
from tests.faults.load import metric
from tests.service.test_server import Process

ALLOWED = {400, 413, 415}


def test_the_originals_are_good_images() -> None:
    for data in originals():
        photo = decode_image(data, ImageLimits())
        assert sorted((photo.width, photo.height)) == sorted(SIZE)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**40).map(mutant))
def test_damage_ends_in_pixels_or_in_a_refusal(data: bytes) -> None:
    limits = ImageLimits(max_pixels=10**6)
    try:
        photo = decode_image(data, limits)
    except ServiceError as error:
        assert error.status in ALLOWED
    else:
        height, width, channels = photo.pixels.shape
        assert photo.pixels.dtype == np.uint8
        assert channels == 3
        assert 0 < width * height <= photo.width * photo.height <= limits.max_pixels


def test_damage_stops_nothing_and_leaves_nothing() -> None:
    with Process() as service, ThreadPoolExecutor(8) as clients:
        service.ready()

        def status(number: int) -> int:
            return service.ask("POST", "/predict?detect=false", mutant(number))[0].status

        statuses = Counter(clients.map(status, range(300)))
        before = metric(service, "process_resident_memory_bytes")
        statuses.update(clients.map(status, range(300, 900)))
        after = metric(service, "process_resident_memory_bytes")

    assert set(statuses) <= {200} | ALLOWED
    assert statuses[200] > 100  # the damage is small enough to be worth something
    assert after - before < 16 * 2**20
    assert '"level": "error"' not in service.text
