"""The outputs of our own face detector, decoded.

Its cells are squares of `strides` pixels, those of each stride row by row, one stride after the
other. Each says how sure it is that the middle of a face lies in it; where that lies from the
cell's middle, x and y in strides; the logarithm of the box's width and height in strides; and five
landmarks, x and y from the cell's middle in widths and heights of the box.
"""

from functools import lru_cache

import numpy as np

from service.candidates import Candidates, Floats
from service.session import DetectionConfig

OUTPUTS = ["scores", "numbers"]

# Where a second look judges, so many of the best cells count however faint: a face has several.
FOREMOST = 64


def decode(outputs: list[Floats], size: tuple[int, int], detection: DetectionConfig) -> Candidates:
    """The cells that are not too faint, in pixels of a canvas of `size`."""
    scores, numbers = (output[0] for output in outputs)
    which = np.flatnonzero(scores >= detection.faintest)
    if detection.refinement is not None and len(which) < FOREMOST:
        which = np.argpartition(-scores, min(FOREMOST, len(scores)) - 1)[:FOREMOST]
    middles, strides = _grid(size, detection.strides)
    middle, stride, said = middles[which], strides[which], numbers[which]
    center = middle + said[:, :2] * stride
    extent = np.exp(said[:, 2:4]) * stride
    points = said[:, 4:].reshape(-1, 5, 2) * extent[:, None] + middle[:, None]
    return Candidates(
        boxes=np.concatenate([center - extent / 2, center + extent / 2], axis=1),
        landmarks=points,
        scores=scores[which],
    )


@lru_cache(maxsize=64)
def _grid(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The cells' middles x, y (K, 2) in pixels of a canvas of that size, and strides (K, 1)."""
    height, width = size
    middles, sides = [], []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
        middles.append((np.stack([columns, rows], axis=1) + 0.5) * stride)
        sides.append(np.full((len(rows), 1), stride))
    return np.concatenate(middles).astype(np.float32), np.concatenate(sides).astype(np.float32)
