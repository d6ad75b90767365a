"""What the second look learns from: crops of plates, and what they should be called.

How likely a crop is to show a face is the mean of two judgements: its label, which CenterFace made
of the whole photo at its leisure, and what CenterFace says of the very crop, changed as it is. A
few thousand faces are learnt by heart otherwise; the teacher has another answer for every crop
(Beyer et al. 2022, "A good teacher is patient and consistent", arXiv 2106.05237).
"""

import math
from typing import Any

import keras
import numpy as np
from PIL import Image

from training import centerface
from training.config import TrainConfig
from training.detection_targets import COLUMNS
from training.found import Floats, Found, iou
from training.photo_augment import change
from training.photos import Pixels
from training.refiner_plates import FACE, Plate, Plates
from training.refiner_plates import SIDE as PLATE_SIDE
from training.systems.face_refiner import SIDE
from training.teacher import FAINTEST, GRAPH
from training.views import TURN, TURNED_SHARE, View, turn

CROPS = 32_768  # in an epoch
SHARES = {
    "small": 0.2,
    "large": 0.2,
    "proposals": 0.38,
    "anywhere": 0.03,
    "textures": 0.03,
    "scenes": 0.16,
}
# Standard deviations: of the shift, in sides of the box, and of the logarithm of the scale. A
# proposal is off by itself.
JITTER = {
    "small": (0.12, 0.2),
    "large": (0.12, 0.2),
    "proposals": (0.05, 0.1),
    "anywhere": (0, 0),
    "textures": (0.05, 0.1),
    "scenes": (0.1, 0.17),
}
FACE_FROM, NOTHING_BELOW = 0.4, 0.25  # intersection over union of what is seen with a face
# What a crop is about is a square that fills its inner half; so are faces compared.
INNER = np.array([[SIDE / 4, SIDE / 4, SIDE * 3 / 4, SIDE * 3 / 4]], np.float32)
AT_A_TIME = 8  # crops that the teacher looks at; more are slower, one by one


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
    overlaps = _overlaps(found)
    best = int(overlaps.argmax())
    if overlaps[best] < NOTHING_BELOW:
        return wanted
    wanted[0, 0] = wanted[0, 1] = view.sure[best] and overlaps[best] >= FACE_FROM
    if view.sure[best]:
        box = found.boxes[best]
        wanted[0, 2] = 1
        wanted[0, 3:5] = (box[:2] + box[2:]) / 2 / SIDE - 0.5
        wanted[0, 5:7] = (box[2:] - box[:2]) / SIDE
        wanted[0, 7:] = (found.landmarks[best] / SIDE - 0.5).ravel()
    return wanted


def _overlaps(found: Found) -> Floats:
    """Of each face with what a crop is about."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    half = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, keepdims=True) / 2
    overlaps: Floats = iou(INNER, np.concatenate([middles - half, middles + half], axis=1))[0]
    return overlaps


def soften(wanted: Floats, images: Pixels, teacher: bytes) -> Floats:
    """The targets (N, 1, 17) of crops with the teacher's judgement of each in their heat.

    Of what the labels do not tell, the teacher's alone counts.
    """
    seen = np.zeros(len(images), np.float32)
    for start in range(0, len(images), AT_A_TIME):
        at_once = images[start : start + AT_A_TIME]
        for number, found in enumerate(centerface.find_all(teacher, at_once, FAINTEST)):
            about = found.scores[_overlaps(found) >= FACE_FROM]
            seen[start + number] = about.max(initial=0)
    told = wanted[:, 0, 1] > 0
    softened = wanted.copy()
    softened[:, 0, 0] = np.where(told, (wanted[:, 0, 0] + seen) / 2, seen)
    softened[:, 0, 1] = 1
    return softened


class RefinerBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """uint8 [N, 64, 64, 3] and the targets [N, 1, 17]; with `frozen`, every epoch is the same."""

    def __init__(
        self, plates: Plates, config: TrainConfig, *, crops: int = CROPS, frozen: bool = False
    ) -> None:
        # No more: threads would wait for each other's interpreter lock at every small step.
        super().__init__(workers=1)
        self.config, self.crops, self.frozen = config, crops, frozen
        self.teacher = GRAPH.read_bytes()
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
        pixels = np.stack(images)
        return pixels, soften(np.stack(wanted), pixels, self.teacher)
