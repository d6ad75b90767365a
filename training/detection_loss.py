"""How far a face detector's cells are from what they should say.

Heat: CenterNet's focal loss (Zhou et al. 2019, arXiv 1904.07850, after CornerNet). Boxes: 1 - IoU
and the distance of the middles (DIoU: Zheng et al. 2019, arXiv 1911.08287), which is the same for
small faces and large ones. Landmarks: their mean distance in x and y, in sides of the box. Each
is summed over the cells and divided by the number of faces in the batch.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Heat = Callable[[Any, Any], Any]

BOX_WEIGHT, LANDMARK_WEIGHT = 2.0, 4.0


def heat_loss(wanted: Any, cells: Any) -> Any:
    """[N, K, 17] targets, [N, K, 15] cells -> a scalar."""
    heat, counts, logits = wanted[..., 0], wanted[..., 1], cells[..., 0]
    score = ops.sigmoid(logits)
    # log(p) and log(1 - p), from the logit so that neither overflows.
    face, nothing = -ops.softplus(-logits), -ops.softplus(logits)
    middle = ops.cast(heat >= 1.0, "float32")
    hit = middle * (1 - score) ** 2 * face
    other = (1 - middle) * (1 - heat) ** 4 * score**2 * nothing
    return -ops.sum(counts * (hit + other)) / _faces(middle)


def soft_heat_loss(wanted: Any, cells: Any) -> Any:
    """The same where heat is how likely a face is, anything from 0 to 1.

    Quality focal loss (Li et al. 2020, arXiv 2006.04388): the cross-entropy, times the square of
    how far the score is off.
    """
    heat, counts, logits = wanted[..., 0], wanted[..., 1], cells[..., 0]
    face, nothing = -ops.softplus(-logits), -ops.softplus(logits)
    entropy = -(heat * face + (1 - heat) * nothing)
    off = (heat - ops.sigmoid(logits)) ** 2
    return ops.sum(counts * off * entropy) / ops.maximum(ops.sum(counts * heat), 1.0)


def box_loss(wanted: Any, cells: Any) -> Any:
    """The same, of boxes: 0 where they lie right, 1 and more where they do not overlap."""
    middle, size = cells[..., 1:3], ops.exp(ops.clip(cells[..., 3:5], -4.0, 4.0))
    true_middle, true_size = wanted[..., 3:5], ops.maximum(wanted[..., 5:7], 0.1)
    low, high = middle - size / 2, middle + size / 2
    true_low, true_high = true_middle - true_size / 2, true_middle + true_size / 2
    shared = _area(ops.maximum(ops.minimum(high, true_high) - ops.maximum(low, true_low), 0.0))
    overlap = shared / (_area(size) + _area(true_size) - shared)
    around = ops.maximum(high, true_high) - ops.minimum(low, true_low)
    apart = ops.sum((middle - true_middle) ** 2, axis=-1) / ops.sum(around**2, axis=-1)
    return _weighted(1 - overlap + apart, wanted)


def landmark_loss(wanted: Any, cells: Any) -> Any:
    """The same, of landmarks: the mean error of a coordinate in units of the box's longer side."""
    size = ops.exp(ops.clip(cells[..., 3:5], -4.0, 4.0))
    points = cells[..., 5:] * ops.tile(size, (1, 1, 5))
    side = ops.maximum(ops.max(wanted[..., 5:7], axis=-1), 0.1)
    error = ops.mean(ops.abs(points - wanted[..., 7:]), axis=-1) / side
    return _weighted(error, wanted)


def detection_loss(wanted: Any, cells: Any, heat: Heat = heat_loss) -> Any:
    """All of it."""
    return (
        heat(wanted, cells)
        + BOX_WEIGHT * box_loss(wanted, cells)
        + LANDMARK_WEIGHT * landmark_loss(wanted, cells)
    )


class DetectionLoss(keras.losses.Loss):  # type: ignore[misc]  # keras has no types
    """`detection_loss` as Keras wants it: whole batches, not one number a picture."""

    def __init__(self, heat: Heat = heat_loss) -> None:
        super().__init__()
        self.heat = heat

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        wanted, cells = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        return detection_loss(wanted, cells, self.heat)


def _area(size: Any) -> Any:
    return size[..., 0] * size[..., 1]


def _weighted(values: Any, wanted: Any) -> Any:
    """By the cells' weights, which sum to 1 for a face."""
    weights = wanted[..., 2]
    return ops.sum(weights * values) / ops.maximum(ops.sum(weights), 1.0)


def _faces(middle: Any) -> Any:
    return ops.maximum(ops.sum(middle), 1.0)
