"""What the second look learns from: crops of plates, and what they should be called."""

import math
from typing import Any

import keras
import numpy as np
from PIL import Image

from training.config import TrainConfig
from training.detection_targets import COLUMNS
from training.found import Floats, Found, iou
from training.photo_augment import change
from training.refiner_plates import FACE, Plate, Plates
from training.refiner_plates import SIDE as PLATE_SIDE
from training.systems.face_refiner import SIDE
from training.views import TURN, TURNED_SHARE, View, turn

CROPS = 32_768  # in an epoch
SHARES = {"small": 0.2, "large": 0.2, "proposals": 0.45, "anywhere": 0.05, "scenes": 0.1}
# Standard deviations: of the shift, in sides of the box, and of the logarithm of the scale. A
# proposal is off by itself.
JITTER = {
    "small": (0.12, 0.2),
    "large": (0.12, 0.2),
    "proposals": (0.05, 0.1),
    "anywhere": (0, 0),
    "scenes": (0.1, 0.17),
}
FACE_FROM, NOTHING_BELOW = 0.4, 0.25  # intersection over union of what is seen with a face


def crop(plate: Plate, jitter: tuple[float, float], random: np.random.Generator) -> View:
    """A crop (64, 64, 3) of a plate, as a proposal that is off would have it cut."""
    shift = random.normal(0, jitter[0], 2).clip(-0.35, 0.35) * FACE
    side = 2 * FACE * math.exp(min(0.4, max(-0.6, random.normal(0, jitter[1]))))
    corner = (PLATE_SIDE / 2 + shift - side / 2).clip(0, PLATE_SIDE - side).astype(np.float32)
    low, high = corner.tolist(), (corner + side).clip(0, PLATE_SIDE).tolist()
    picture = Image.fromarray(plate.pixels).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, (*low, *high)
    )
    scale = SIDE / side
    found = Found(
        (plate.found.boxes - np.tile(corner, 2)) * scale,
        (plate.found.landmarks - corner) * scale,
        plate.found.scores,
    )
    view = View(np.asarray(picture), found, plate.sure)
    if random.random() < TURNED_SHARE:
        view = turn(view, random.uniform(-TURN, TURN))
    if random.random() < 0.5:
        view = View(view.pixels[:, ::-1], view.found.mirrored(SIDE), view.sure)
    return change(view, random)


def target(view: View) -> Floats:
    """(1, 17) as `training.detection_targets` has it, of the one cell that the crop is."""
    wanted = np.zeros((1, COLUMNS), np.float32)
    wanted[0, 1] = 1
    found = view.found
    if not len(found.scores):
        return wanted
    # What a crop is about is a square that fills its inner half; so are faces compared.
    inner = np.array([[SIDE / 4, SIDE / 4, SIDE * 3 / 4, SIDE * 3 / 4]], np.float32)
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    half = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, keepdims=True) / 2
    overlaps = iou(inner, np.concatenate([middles - half, middles + half], axis=1))[0]
    best = int(overlaps.argmax())
    if overlaps[best] < NOTHING_BELOW:
        return wanted
    wanted[0, 0] = wanted[0, 1] = view.sure[best] and overlaps[best] >= FACE_FROM
    if view.sure[best]:
        box = found.boxes[best]
        wanted[0, 2] = 1
        wanted[0, 3:5] = middles[best] / SIDE - 0.5
        wanted[0, 5:7] = (box[2:] - box[:2]) / SIDE
        wanted[0, 7:] = (found.landmarks[best] / SIDE - 0.5).ravel()
    return wanted


class RefinerBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """uint8 [N, 64, 64, 3] and the targets [N, 1, 17]; with `frozen`, every epoch is the same."""

    def __init__(
        self, plates: Plates, config: TrainConfig, *, crops: int = CROPS, frozen: bool = False
    ) -> None:
        # One thread beside the network's: two would wait for each other's interpreter lock at every
        # small step, and bring less than one.
        super().__init__(workers=1, max_queue_size=32)
        self.config, self.crops, self.frozen = config, crops, frozen
        self.kinds = {kind: getattr(plates, kind) for kind in SHARES if getattr(plates, kind)}
        shares = np.array([SHARES[kind] for kind in self.kinds])
        self.shares = shares / shares.sum()
        self.epoch = 0  # a resumed run sets the one it goes on with

    def __len__(self) -> int:
        return max(1, self.crops // self.config.batch_size)

    def on_epoch_end(self) -> None:
        self.epoch += not self.frozen

    def __getitem__(self, step: int) -> tuple[Any, Any]:
        random = np.random.default_rng((self.config.seed, self.epoch, step, self.frozen))
        images, wanted = [], []
        for kind in random.choice(list(self.kinds), self.config.batch_size, p=self.shares):
            plates = self.kinds[str(kind)]
            view = crop(plates[int(random.integers(len(plates)))], JITTER[str(kind)], random)
            images.append(view.pixels)
            wanted.append(target(view))
        return np.stack(images), np.stack(wanted)
