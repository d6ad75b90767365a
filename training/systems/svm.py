"""A linear support vector machine on histograms of gradients, for the paper's "SVM": 45.95 %.

Quinn et al. 2017 do not say which features they gave it. Ours are HOG (Dalal & Triggs 2005) as
`skimage.feature.hog` computes it: 9 orientations over 180 degrees, cells of 8x8 pixels, blocks of
2x2 cells normalised by L2-Hys, 5 x 5 x 4 x 9 = 900 numbers a face. scikit-learn's LinearSVC
(squared hinge loss, one class against the rest) finds the weights; it is trained by

    python -m training.train training/configs/paper_svm.py --data FER2013.npz

The features are part of the graph, so that it is exported, verified and timed like every network.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from training.config import TrainConfig

ORIENTATIONS, CELL, CELLS, BLOCK = 9, 8, 6, 2


class Hog(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """float32 [N, 48, 48, 1] -> [N, 900], what skimage.feature.hog gives for each image."""

    def call(self, images: Any) -> Any:
        gray = images[..., 0]
        down = ops.pad(gray[:, 2:, :] - gray[:, :-2, :], ((0, 0), (1, 1), (0, 0)))
        right = ops.pad(gray[:, :, 2:] - gray[:, :, :-2], ((0, 0), (0, 0), (1, 1)))
        magnitude = ops.sqrt(right * right + down * down)

        # Opposite gradients count as one orientation: turn each to 0 <= angle < 180.
        upwards = ops.logical_or(down < 0, ops.logical_and(down == 0, right < 0))
        sign = ops.where(upwards, -1.0, 1.0)
        x, y = (sign * right)[..., None], (sign * down)[..., None]
        # An angle lies in a bin if it is not before the bin's start but before the next one's. That
        # needs no arc tangent, whose rounding would differ between backends.
        starts = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
        beyond = y * np.cos(starts).astype("float32") - x * np.sin(starts).astype("float32") >= 0
        beyond = ops.cast(beyond, "float32")
        in_bin = beyond - ops.pad(beyond[..., 1:], ((0, 0), (0, 0), (0, 0), (0, 1)))
        cells = ops.average_pool(in_bin * magnitude[..., None], CELL, strides=CELL)

        steps = CELLS - BLOCK + 1
        corners = [
            cells[:, row : row + steps, column : column + steps]
            for row in range(BLOCK)
            for column in range(BLOCK)
        ]
        blocks = ops.concatenate(corners, axis=-1)
        blocks = _normalise(ops.minimum(_normalise(blocks), 0.2))
        return ops.reshape(blocks, (-1, steps * steps * BLOCK * BLOCK * ORIENTATIONS))


def _normalise(blocks: Any) -> Any:
    return blocks / ops.sqrt(ops.sum(blocks * blocks, axis=-1, keepdims=True) + 1e-10)


def build(ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}, the distances from the 7 planes."""
    if ferplus:
        raise ValueError("the SVM has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    features = Hog(name="features", dtype="float32")(image)
    logits = layers.Dense(7, dtype="float32", name="logits")(features)
    return keras.Model(image, {"logits": logits}, name="svm")


def fit(
    network: keras.Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    config: TrainConfig,
) -> int:
    """Set the dense layer's weights to the SVM's; returns the Newton steps that it took.

    `network` is what `build_trainable` gives, `images` uint8 [N, 48, 48]. The loss is convex, so it
    is solved rather than trained: `config.epochs` steps on all images at most, and
    `config.weight_decay` the share of |weights|^2 / 2 in the mean loss.
    """
    system = network.get_layer("svm")
    features = keras.Model(system.input, system.get_layer("features").output)
    scaled = images[..., None].astype(np.float32) / 255
    machine = LinearSVC(
        C=1 / (config.weight_decay * len(images)),
        dual=False,  # there are more images than features
        class_weight="balanced" if config.class_weights else None,
        max_iter=config.epochs,
        random_state=config.seed,
    )
    machine.fit(features.predict(scaled, batch_size=256, verbose=0), labels)
    system.get_layer("logits").set_weights([machine.coef_.T, machine.intercept_])
    return int(machine.n_iter_)
