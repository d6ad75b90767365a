"""What may be faces in a picture, before it is known which of them are."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Candidates(NamedTuple):
    """In pixels: boxes (K, 4), landmarks (K, 5, 2) and scores (K,)."""

    boxes: Floats
    landmarks: Floats
    scores: Floats

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        return type(self)(self.boxes[which], self.landmarks[which], self.scores[which])

    def joined(self, others: Self) -> Self:
        """These and after them the others."""
        return type(self)(*(np.concatenate(parts) for parts in zip(self, others, strict=True)))

    def foremost(self, most: int) -> Self:
        """The surest of them, if there are more than `most`, in any order."""
        if len(self.scores) <= most:
            return self
        return self.take(np.argpartition(-self.scores, most - 1)[:most])

    def scaled(self, factors: Floats) -> Self:
        """With x and y multiplied by `factors` (2,)."""
        return type(self)(self.boxes * np.tile(factors, 2), self.landmarks * factors, self.scores)

    def turned_back(self, width: int) -> Self:
        """Of an image that `np.rot90` turned once: as it lay before, when it was `width` wide."""
        x_min, y_min, x_max, y_max = self.boxes.T
        return type(self)(
            np.stack([width - y_max, x_min, width - y_min, x_max], axis=1),
            np.stack([width - self.landmarks[..., 1], self.landmarks[..., 0]], axis=-1),
            self.scores,
        )

    @property
    def sizes(self) -> Floats:
        """Width and height of each box: (K, 2)."""
        return self.boxes[:, 2:] - self.boxes[:, :2]


def strongest(boxes: Floats, scores: Floats, limit: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices, best score first.

    Kept is what overlaps no better kept one by more than `limit` (intersection over union).
    """
    order = np.argsort(-scores, kind="stable")
    overlapping = iou(boxes[order][:, None], boxes[order]) > limit
    kept = np.ones(len(order), np.bool_)
    for rank in range(len(order)):
        if kept[rank]:
            kept[rank + 1 :] &= ~overlapping[rank, rank + 1 :]
    return order[kept]


def iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of boxes (..., 4) with others, which broadcast to them: (...)."""
    # Edge by edge: numpy is slow along an axis of two.
    left, top, right, bottom = (first[..., edge] for edge in range(4))
    x_min, y_min, x_max, y_max = (second[..., edge] for edge in range(4))
    width = np.minimum(right, x_max) - np.maximum(left, x_min)
    height = np.minimum(bottom, y_max) - np.maximum(top, y_min)
    shared = width.clip(0) * height.clip(0)
    areas = (right - left) * (bottom - top) + (x_max - x_min) * (y_max - y_min)
    overlaps: Floats = shared / (areas - shared)
    return overlaps
