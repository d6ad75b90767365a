"""Batches of views with what the cells should say, drawn by the seed, the epoch and the step."""

from typing import Any

import keras
import numpy as np

from training.config import TrainConfig
from training.detection_targets import targets
from training.found import Found
from training.photo_augment import change
from training.photo_labels import LabelledPhoto
from training.pixel_store import PixelStore
from training.textures import texture
from training.views import View, mosaic, single

SIZE = (256, 320)  # height and width of a view, in pixels
MOSAIC_SHARE, TEXTURE_SHARE = 0.4, 0.03
SPLIT = (0.35, 0.65)  # where in a view a mosaic's pictures meet


class Views:
    """The views of some photos. `rows` tells which of `labelled` they are of."""

    def __init__(
        self, store: PixelStore, labelled: list[LabelledPhoto], rows: list[int], size: Any = SIZE
    ) -> None:
        self.store, self.labelled, self.rows, self.size = store, labelled, rows, size

    def draw(self, row: int, random: np.random.Generator) -> View:
        """A view of that photo, or with it, at random."""
        if random.random() < TEXTURE_SHARE:
            nothing = np.zeros(0, np.bool_)
            return change(View(texture(self.size, random), Found.none(), nothing), random)
        if random.random() >= MOSAIC_SHARE:
            return change(self._single(row, self.size, random), random)
        height, width = self.size
        split = round(random.uniform(*SPLIT) * height), round(random.uniform(*SPLIT) * width)
        sizes = [
            (tall, wide)
            for tall in (split[0], height - split[0])
            for wide in (split[1], width - split[1])
        ]
        others = [int(random.choice(self.rows)) for _ in range(3)]
        views = [
            self._single(each, size, random)
            for each, size in zip((row, *others), sizes, strict=True)
        ]
        return change(mosaic(views, self.size, split), random)

    def _single(self, row: int, size: tuple[int, int], random: np.random.Generator) -> View:
        return single(self.store[row], self.labelled[row], size, random)


class DetectionBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """uint8 [N, H, W, 3] and the targets [N, K, 17]; every photo leads one view an epoch.

    With `frozen`, every epoch is the same: to judge by.
    """

    def __init__(self, views: Views, config: TrainConfig, *, frozen: bool = False) -> None:
        super().__init__(workers=1 if frozen else 2)
        self.views, self.config, self.frozen = views, config, frozen
        self.epoch = 0  # a resumed run sets the one it goes on with

    def __len__(self) -> int:
        return max(1, len(self.views.rows) // self.config.batch_size)

    def on_epoch_end(self) -> None:
        self.epoch += not self.frozen

    def __getitem__(self, step: int) -> tuple[Any, Any]:
        size = self.config.batch_size
        order = np.random.default_rng((self.config.seed, self.epoch)).permutation(self.views.rows)
        images, wanted = [], []
        for place, row in enumerate(np.resize(order, (len(self), size))[step]):
            seed = (self.config.seed, self.epoch, step, place, self.frozen)
            view = self.views.draw(int(row), np.random.default_rng(seed))
            images.append(view.pixels)
            wanted.append(targets(view.found, view.sure, self.views.size))
        return np.stack(images), np.stack(wanted)
