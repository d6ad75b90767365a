import numpy as np
import pytest

from service.detector import _fit
from training.canvas import show


@pytest.mark.parametrize("shape", [(480, 640), (300, 200), (1000, 90), (160, 320)])
@pytest.mark.parametrize("multiple_of", [16, 32])
def test_a_photo_is_shown_as_the_service_shows_it(shape: tuple[int, int], multiple_of: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    shown = show(photo, 320, multiple_of)
    pixels, factors = _fit(photo, 320, multiple_of)
    np.testing.assert_array_equal(shown.pixels, pixels)
    assert shown.factors == pytest.approx(tuple(factors))
