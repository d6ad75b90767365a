"""How a face detector's boxes lie in FER-2013's frames, measured.

The service cuts each face as the expression model saw faces in training. What it knows of a face is
the detector's box, so the place and size of the box in such a frame is what it needs: the medians
over Training images in scenes, where the frame is known.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.found import Find, Floats
from training.scenes import SURROUNDINGS, place

SCENES = 1200
QUANTILES = (0.25, 0.5, 0.75)


class FramingError(ValueError):
    """No face was found in any scene."""


def measure_framing(find: Find, faces: NDArray[np.uint8], scenes: int = SCENES) -> dict[str, Any]:
    """Medians and quartiles of the boxes' centers and sizes, in units of the frame's side.

    `faces` (N, 48, 48) are Training images; `scenes` of them are looked at. `find` gives the faces
    of a photo, best first; a scene in which it finds none is missed, and tells nothing. Raises
    `FramingError` if there is no other.
    """
    random = np.random.default_rng(0)
    chosen = faces[random.choice(len(faces), min(scenes, len(faces)), replace=False)]
    rows = np.array(list(_boxes(find, chosen, random)), np.float32).reshape(-1, 4)
    if not len(rows):
        raise FramingError(f"expected a face in some of {len(chosen)} scenes, found none")
    low, high = rows[:, :2], rows[:, 2:]
    figures = {"center": (low + high) / 2, "size": high - low}
    quartiles = {name: np.quantile(values, QUANTILES, axis=0) for name, values in figures.items()}
    return {
        "scenes": len(chosen),
        "found": len(rows),
        **{name: np.round(values[1], 3).tolist() for name, values in quartiles.items()},
        "quartiles": {
            name: np.round(values[[0, 2]], 3).tolist() for name, values in quartiles.items()
        },
    }


def _boxes(find: Find, faces: NDArray[np.uint8], random: np.random.Generator) -> Iterator[Floats]:
    """The surest box of each scene with one: x_min, y_min, x_max, y_max in units of the frame."""
    for count, face in enumerate(tqdm(faces, desc="scenes", leave=False, disable=None)):
        scene = place(face, SURROUNDINGS[count % len(SURROUNDINGS)], random)
        boxes = find(scene.image).boxes
        if len(boxes):
            yield (boxes[0] - np.tile([scene.x, scene.y], 2)) / scene.side
