"""The cells of our face detector: where they lie in the picture, and the faces that they tell.

A cell of stride s is a square of s pixels. Its numbers are a score; where from the cell's middle
the face's middle lies, x and y in strides; the logarithm of width and height in strides; and five
landmarks, x and y from the cell's middle in widths and heights of the box.
"""

import numpy as np

from training.found import Floats, Found, strongest
from training.systems.face_detector import STRIDES

OUTPUTS = ["scores", "numbers"]
NMS_IOU = 0.4


def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """The middles (K, 2) x, y of a picture's cells in pixels, and their strides (K,)."""
    middles, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
        middles.append((np.stack([columns, rows], axis=1) + 0.5) * stride)
        strides.append(np.full(len(rows), stride))
    return np.concatenate(middles).astype(np.float32), np.concatenate(strides).astype(np.float32)


def faces(
    scores: Floats,
    numbers: Floats,
    size: tuple[int, int],
    threshold: float,
    foremost: int = 0,
) -> Found:
    """The faces in a picture of `size` (height, width), in its pixels, best first.

    `scores` (K,) are 0..1, `numbers` (K, 14) what else a cell says. So many of the `foremost` cells
    count even if they are below the threshold.
    """
    middles, strides = grid(*size)
    which = np.flatnonzero(scores >= threshold)
    if len(which) < foremost:
        which = np.argsort(-scores, kind="stable")[:foremost]
    middle, stride, said = middles[which], strides[which, None], numbers[which]
    center, extent = middle + said[:, :2] * stride, np.exp(said[:, 2:4]) * stride
    boxes = np.concatenate([center - extent / 2, center + extent / 2], axis=1)
    points = middle[:, None] + said[:, 4:].reshape(-1, 5, 2) * extent[:, None]
    return strongest(Found(boxes, points, scores[which]), NMS_IOU)
