"""What a face detector found in one photo, and how the findings of several overlap."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# The subject's right is the mirror's left: eyes and corners of the mouth change places.
MIRRORED = [1, 0, 2, 4, 3]


class Found(NamedTuple):
    """Faces in pixels of the photo: boxes (K, 4) xyxy, landmarks (K, 5, 2) x, y, scores (K,)."""

    boxes: Floats
    landmarks: Floats
    scores: Floats

    @classmethod
    def none(cls) -> Self:
        return cls(*(np.zeros((0, *shape), np.float32) for shape in ((4,), (5, 2), ())))

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Self:
        return type(self)(self.boxes[which], self.landmarks[which], self.scores[which])

    def scaled(self, x: float, y: float) -> Self:
        """With x and y multiplied."""
        factors = np.array([x, y], np.float32)
        return type(self)(self.boxes * np.tile(factors, 2), self.landmarks * factors, self.scores)

    def mirrored(self, width: float) -> Self:
        """As they lie in the mirror image of a photo of that width."""
        boxes, landmarks = self.boxes.copy(), self.landmarks[:, MIRRORED].copy()
        boxes[:, [0, 2]] = width - self.boxes[:, [2, 0]]
        landmarks[..., 0] = width - landmarks[..., 0]
        return type(self)(boxes, landmarks, self.scores)

    def turned(self, width: float) -> Self:
        """As they lie in a photo of that width after `np.rot90` turned it once."""
        x_min, y_min, x_max, y_max = self.boxes.T
        return type(self)(
            np.stack([y_min, width - x_max, y_max, width - x_min], axis=1),
            np.stack([self.landmarks[..., 1], width - self.landmarks[..., 0]], axis=-1),
            self.scores,
        )

    @property
    def sides(self) -> Floats:
        """The longer side of each box: (K,)."""
        longer: Floats = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=0)
        return longer


# The faces of an RGB photo (height, width, 3), in its pixels, best first.
Find = Callable[[NDArray[np.uint8]], Found]


def iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each of (N, 4) boxes with each of (M, 4): (N, M)."""
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    overlaps: Floats = shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1e-6)
    return overlaps


def join(*found: Found) -> Found:
    """All of them, one after the other."""
    return Found(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def strongest(found: Found, limit: float) -> Found:
    """Greedy non-maximum suppression, best first.

    Kept is what overlaps no better kept one by more than `limit` (intersection over union).
    """
    return found.take(ranked(found, limit))


def ranked(found: Found, limit: float) -> NDArray[np.intp]:
    """The rows of what is kept so."""
    order = np.argsort(-found.scores, kind="stable")
    found = found.take(order)
    overlapping = iou(found.boxes, found.boxes) > limit
    kept = np.ones(len(found.scores), np.bool_)
    for rank in range(len(kept)):
        if kept[rank]:
            kept[rank + 1 :] &= ~overlapping[rank, rank + 1 :]
    return order[kept]
