import numpy as np
import pytest

from service.detector import _fit
from service.refiner import _cut, _squares
from training.canvas import cut, show


@pytest.mark.parametrize("shape", [(480, 640), (300, 200), (1000, 90), (160, 320)])
@pytest.mark.parametrize("multiple_of", [16, 32])
def test_a_photo_is_shown_as_the_service_shows_it(shape: tuple[int, int], multiple_of: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    shown = show(photo, 320, multiple_of)
    pixels, factors = _fit(photo, 320, multiple_of)
    np.testing.assert_array_equal(shown.pixels, pixels)
    assert shown.factors == pytest.approx(tuple(factors))


@pytest.mark.parametrize(
    "box",
    [
        (60, 40, 92, 81),
        (-10, -4, 30, 50),
        (100.4, 90.5, 119.6, 130.2),
        (10, 10, 10, 10),
        (500, 0, 900, 9),
    ],
)
def test_a_cut_shows_what_the_service_cuts_out(box: tuple[float, ...]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    edges = np.array(box, np.float32)
    shown = cut(photo, edges, 64)
    (square,) = _squares(edges[None])
    np.testing.assert_array_equal(shown.pixels, _cut(photo, square, 64))
    assert shown.corner.tolist() == square[:2].tolist()
    assert shown.factor == square[2] / 64
