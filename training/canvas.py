"""A photo as the service shows it to a face detector."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Shown(NamedTuple):
    """The picture, and the factors that lead from its pixels to those of the photo, in x and y."""

    pixels: NDArray[np.uint8]
    factors: tuple[float, float]


def show(photo: NDArray[np.uint8], side: int, multiple_of: int) -> Shown:
    """RGB (height, width, 3) with a longest side of `side`, black beyond it to whole tiles."""
    height, width, _ = photo.shape
    scale = side / max(height, width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    inner = Image.fromarray(photo).resize(
        (inner_width, inner_height), Image.Resampling.BILINEAR, reducing_gap=1.0
    )
    below, beside = -inner_height % multiple_of, -inner_width % multiple_of
    pixels = np.pad(np.asarray(inner), ((0, below), (0, beside), (0, 0)))
    return Shown(pixels, (width / inner_width, height / inner_height))
