"""Batches of training images, in an order that depends only on the seed and the epoch."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainConfig

Targets = dict[str, NDArray[np.float32]]


def class_weights(counts: NDArray[Any]) -> NDArray[np.float64]:
    """[K]: what makes classes of so many images weigh alike, and 1 in the mean over the images."""
    weights: NDArray[np.float64] = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """Shuffled uint8 batches with their targets, mixed up where the config says so.

    Mixup (Zhang et al. 2018, arXiv 1710.09412) needs the targets, so it happens here, on raw
    pixels; every other change happens on the device, in `Augment`. The last, short batch of an
    epoch is dropped: each step then has the same shape and is compiled once.
    """

    def __init__(self, images: NDArray[np.uint8], targets: Targets, config: TrainConfig) -> None:
        super().__init__()
        self.images, self.targets, self.config = images, targets, config
        self.epoch = 0  # a resumed run sets the one it goes on with
        counts = targets["logits"].sum(axis=0)
        weights = class_weights(counts)
        self.class_weights = weights.astype(np.float32) if config.class_weights else None
        # An epoch keeps its length, so that runs with and without oversampling cost the same.
        chances = targets["logits"] @ weights
        self.chances = chances / chances.sum() if config.oversampling else None
        self._drawn: tuple[int, NDArray[np.int64]] | None = None  # an epoch and its order

    def __len__(self) -> int:
        return len(self.images) // self.config.batch_size

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        size = self.config.batch_size
        rows = self._order(self.epoch)[step * size : (step + 1) * size]
        images = self.images[rows]
        targets = {head: values[rows] for head, values in self.targets.items()}
        if self.config.mixup:
            images, targets = self._mix(images, targets, step)
        if self.class_weights is None:
            return images, targets
        plain = np.ones(size, np.float32)  # other heads know no classes, and weigh all the same
        weights = dict.fromkeys(targets, plain) | {"logits": targets["logits"] @ self.class_weights}
        return images, targets, weights

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self._drawn is None or self._drawn[0] != epoch:
            random = np.random.default_rng((self.config.seed, epoch))
            count = len(self.images)
            order = (
                random.permutation(count)
                if self.chances is None
                else random.choice(count, count, p=self.chances)
            )
            self._drawn = epoch, order
        return self._drawn[1]

    def _mix(
        self, images: NDArray[np.uint8], targets: Targets, step: int
    ) -> tuple[NDArray[np.uint8], Targets]:
        """Each image with the next one of the batch, in its own proportion."""
        random = np.random.default_rng((self.config.seed, self.epoch, step))
        share = random.beta(self.config.mixup, self.config.mixup, len(images)).astype(np.float32)
        share = np.maximum(share, 1 - share)
        pixels = share[:, None, None]
        mixed = pixels * images + (1 - pixels) * np.roll(images, 1, axis=0)
        part = share[:, None]
        return mixed.round().astype(np.uint8), {
            head: part * values + (1 - part) * np.roll(values, 1, axis=0)
            for head, values in targets.items()
        }
