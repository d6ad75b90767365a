import io

import numpy as np
import pytest
from PIL import Image

from service.png import encode_png


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (48, 64), (301, 203)])
def test_a_decoder_reads_the_very_pixels(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert (image.format, image.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_what_is_even_takes_hardly_any_bytes() -> None:
    assert len(encode_png(np.full((480, 640, 3), 200, np.uint8))) < 480 * 640 * 3 / 100
