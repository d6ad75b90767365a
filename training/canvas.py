"""A photo, or what lies around a box in it, as the service shows it to a face detector."""

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


class Cut(NamedTuple):
    """The picture, where its corner lies in the photo, and how many of its pixels one of it is."""

    pixels: NDArray[np.uint8]
    corner: NDArray[np.float32]
    factor: float


def cut(photo: NDArray[np.uint8], box: NDArray[np.float32], side: int) -> Cut:
    """The square around a box, twice its longer side, `side` pixels; black beyond the photo."""
    return cut_square(photo, box, 2.0, side)


def cut_square(photo: NDArray[np.uint8], box: NDArray[np.float32], longer: float, side: int) -> Cut:
    """The same, `longer` times the box's longer side."""
    height, width, _ = photo.shape
    span = max(2, round(longer * float((box[2:] - box[:2]).max())))
    left, top = (round(float(middle) - span / 2) for middle in (box[:2] + box[2:]) / 2)
    x, right = (min(max(edge, 0), width) for edge in (left, left + span))
    y, bottom = (min(max(edge, 0), height) for edge in (top, top + span))
    columns = [round((edge - left) * side / span) for edge in (x, right)]
    rows = [round((edge - top) * side / span) for edge in (y, bottom)]
    pixels = np.zeros((side, side, 3), np.uint8)
    size = (columns[1] - columns[0], rows[1] - rows[0])
    if min(size) > 0 and x < right and y < bottom:
        part = Image.fromarray(np.ascontiguousarray(photo[y:bottom, x:right]))
        pixels[slice(*rows), slice(*columns)] = np.asarray(
            part.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
        )
    return Cut(pixels, np.array([left, top], np.float32), span / side)
