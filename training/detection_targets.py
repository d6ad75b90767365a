"""What each cell should say of a picture: the other way round from `training.cells`.

The heat is CornerNet's (Law & Deng 2018, arXiv 1808.01244): 1 in the cell that holds a face's
middle, a Gaussian around it, where "no face" is punished less. The cells near the middle learn box
and landmarks as well, weighted by a Gaussian, as in TTFNet (Liu et al. 2019, arXiv 1909.00700).
Small faces belong to the fine cells, large ones to the coarse, and those between to both.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.cells import grid
from training.found import Floats, Found
from training.systems.face_detector import STRIDES

# Columns: heat, whether the heat counts, the weight of box and points, middle x and y, width and
# height in strides, five points x and y in strides from the cell's middle.
COLUMNS = 17
SMALLEST = 9.0  # pixels; smaller faces are neither learnt nor called background


class _Level(NamedTuple):
    """Which faces the cells of a stride tell: from and to, by the mean of the sides in pixels."""

    stride: int
    unsure_from: float
    sure_from: float
    sure_to: float
    unsure_to: float


LEVELS = (
    _Level(STRIDES[0], 0, SMALLEST, 48, 64),
    _Level(STRIDES[1], 24, 32, np.inf, np.inf),
)


def targets(found: Found, sure: NDArray[np.bool_], size: tuple[int, int]) -> Floats:
    """(K, 17) float32 for a picture of `size` (height, width); `sure` (F,) are to be learnt."""
    middles, strides = grid(*size)
    wanted = np.zeros((len(middles), COLUMNS), np.float32)
    wanted[:, 1] = 1
    extents = found.boxes[:, 2:] - found.boxes[:, :2]
    sides = np.sqrt(extents.prod(axis=1))
    largest_first = np.argsort(-sides, kind="stable")
    start = 0
    for level in LEVELS:
        stop = start + int((strides == level.stride).sum())
        part, cells = wanted[start:stop], middles[start:stop]
        learnt = sure & (level.sure_from <= sides) & (sides < level.sure_to)
        ignored = ~learnt & (level.unsure_from <= sides) & (sides < level.unsure_to)
        for face in largest_first:
            if ignored[face]:
                _ignore(part, cells, found.boxes[face], level.stride)
        # Last, so that what may be a face does not hide one; small ones before large ones.
        for face in largest_first:
            if learnt[face]:
                _learn(part, cells, found.take(slice(face, face + 1)), level.stride)
        start = stop
    return wanted


def _ignore(part: Floats, cells: Floats, box: Floats, stride: int) -> None:
    """No cell in the box's inner part is told anything, and the one in its middle neither."""
    middle, extent = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    reach = np.maximum(extent * 0.4, stride * 0.75)
    part[(np.abs(cells - middle) <= reach).all(axis=1), 1] = 0


def _learn(part: Floats, cells: Floats, face: Found, stride: int) -> None:
    (box,), (points,) = face.boxes, face.landmarks
    middle, extent = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    away = (cells - middle) / stride
    nearest = int((away**2).sum(axis=1).argmin())

    heat = _gaussian((cells - cells[nearest]) / stride, np.maximum(0.09 * extent / stride, 0.35))
    part[:, 0] = np.maximum(part[:, 0], heat)
    part[nearest, :2] = 1
    near = _gaussian(away, np.maximum(extent / stride / 8, 0.4))
    near[nearest] = max(near[nearest], 0.5)
    which = np.flatnonzero(near > 0.15)
    part[which, 2] = near[which] / near[which].sum()
    part[which, 3:5] = -away[which]
    part[which, 5:7] = extent / stride
    part[which, 7:] = ((points[None] - cells[which, None]) / stride).reshape(len(which), 10)


def _gaussian(away: Floats, deviation: Floats) -> Floats:
    values: Floats = np.exp(-((away / deviation) ** 2).sum(axis=1) / 2)
    return values
