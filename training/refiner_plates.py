"""Where the second look learns: squares around boxes in photos, cut out once and kept in memory.

A plate is wider than what the network gets to see, so that every epoch can cut another crop from
it, a little off, larger or smaller. Plates are of faces, of what the first look proposes in photos
and in pictures of nothing, of any place, and of FER-2013's pictures in scenes. There the box is not
the teacher's but where it would lie, in the middle of all, in the frame that the expression model
was trained on: so what the second look learns of a box is what it is for.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training import centerface
from training.canvas import cut_square
from training.cascade import propose
from training.found import Floats, Found, iou
from training.photo_labels import LabelledPhoto
from training.photo_set import PhotoSet
from training.photos import Pixels
from training.scenes import SURROUNDINGS, place
from training.teacher import GRAPH
from training.textures import texture

SIDE = 96  # pixels of a plate
FACE = SIDE / 3  # of them the longer side of the box in its middle
SIDES = (160, 320)  # at which photos are shown to the first look
FAINT = 0.15  # least score of its proposals
FOREMOST, FOREMOST_OF_SCENE = 16, 3  # of a look, how many are learnt from
FACES, ANYWHERE = 16, 2  # of a photo
LARGE = 1 / 12  # of the photo's longest side: faces that few photos show, and that people send
TEXTURE_SIZE = (480, 640)  # of pictures of nothing, one for every `PHOTOS_A_TEXTURE` photos
PHOTOS_A_TEXTURE = 4
SCENES, SCENE_SIDES = 3000, (110, 300)  # of FER-2013's pictures, and the pixels of their frames


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A square (96, 96, 3), the faces in it, and which of them are sure."""

    pixels: Pixels
    found: Found
    sure: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Plates:
    """By what is in their middles."""

    small: list[Plate]
    large: list[Plate]
    proposals: list[Plate]
    anywhere: list[Plate]
    textures: list[Plate]
    scenes: list[Plate]


def cut_plates(
    proposer: bytes, photos: PhotoSet, rows: list[int], faces: NDArray[np.uint8], seed: int = 0
) -> Plates:
    """Of those photos, and of some of FER-2013's pictures (N, 48, 48).

    Pictures of nothing, and of anything in a photo, are others with another `seed`.
    """
    plates = Plates([], [], [], [], [], [])
    for scene, found in _scenes(faces):
        plates.scenes.append(_plate(scene, found, np.ones(1, np.bool_), found.boxes[0]))
        # Parts of large faces, too: in photos such are rare.
        for box in _proposed(proposer, scene, FOREMOST_OF_SCENE):
            plates.proposals.append(_plate(scene, found, np.ones(1, np.bool_), box))
    random = np.random.default_rng(seed)
    for _ in range(0, len(rows), PHOTOS_A_TEXTURE):
        nothing = texture(TEXTURE_SIZE, random)
        for box in _proposed(proposer, nothing, FOREMOST_OF_SCENE):
            plates.textures.append(_plate(nothing, Found.none(), np.zeros(0, np.bool_), box))
    for row in tqdm(rows, desc="cutting", unit=" photos", disable=None):
        photo, labelled = photos.store[row], photos.labelled[row]
        of = partial(_plate, photo, labelled.faces, labelled.sure)
        sure = labelled.faces.take(labelled.sure).take(slice(FACES))
        for box, side in zip(sure.boxes, sure.sides, strict=True):
            large = side >= LARGE * max(labelled.height, labelled.width)
            (plates.large if large else plates.small).append(of(box))
        plates.proposals.extend(of(box) for box in _proposed(proposer, photo, FOREMOST))
        plates.anywhere.extend(of(_anywhere(labelled, random)) for _ in range(ANYWHERE))
    return plates


def _proposed(proposer: bytes, photo: Pixels, foremost: int) -> Floats:
    looks = [propose(proposer, photo, side, FAINT).boxes[:foremost] for side in SIDES]
    return np.concatenate(looks)


def _plate(photo: Pixels, found: Found, sure: NDArray[np.bool_], box: Floats) -> Plate:
    shown = cut_square(photo, box, SIDE / FACE, SIDE)
    boxes = (found.boxes - np.tile(shown.corner, 2)) / shown.factor
    inside = np.flatnonzero(((boxes[:, 2:] > 0) & (boxes[:, :2] < SIDE)).all(axis=1))
    moved = Found(boxes, (found.landmarks - shown.corner) / shown.factor, found.scores)
    return Plate(shown.pixels, moved.take(inside), sure[inside])


def _anywhere(labelled: LabelledPhoto, random: np.random.Generator) -> Floats:
    longest = max(labelled.height, labelled.width)
    side = longest * math.exp(random.uniform(math.log(0.03), math.log(0.7)))
    middle = random.uniform(0, 1, 2) * (labelled.width, labelled.height)
    return np.concatenate([middle - side / 2, middle + side / 2]).astype(np.float32)


def _scenes(faces: NDArray[np.uint8]) -> Iterator[tuple[Pixels, Found]]:
    """Those in which the teacher finds the face, whose landmarks it tells."""
    graph = GRAPH.read_bytes()
    framing = json.loads((GRAPH.parent / "config.json").read_text())["detection"]["framing"]
    center, size = np.array(framing["center"]), np.array(framing["size"])
    random = np.random.default_rng(1)
    chosen = random.choice(len(faces), min(SCENES, len(faces)), replace=False)
    for count, number in enumerate(tqdm(chosen, desc="scenes", unit=" scenes", disable=None)):
        surroundings = SURROUNDINGS[count % len(SURROUNDINGS)]
        scene = place(faces[number], surroundings, random, sides=SCENE_SIDES)
        corner = np.array([scene.x, scene.y])
        low, high = (corner + scene.side * (center + side * size / 2) for side in (-1, 1))
        box = np.concatenate([low, high]).astype(np.float32)
        seen = centerface.find(graph, scene.image, 320, 0.3)
        overlaps = iou(seen.boxes, box[None])[:, 0]
        if overlaps.max(initial=0) >= 0.5:
            points = seen.landmarks[overlaps.argmax()]
            yield scene.image, Found(box[None], points[None], np.ones(1, np.float32))
