"""What a second and a third look at a photo are worth: `python -m benchmarks.looks --data F`.

Training images of FER-2013 stand in scenes of 640 x 480, small, as usual, and so large that they
fill it. Where the first look at a scene finds nothing, how many faces does a coarser one find, how
many a finer one, and how many that are none? And what does the service, which takes them in that
order, find in the end, at how many first looks' cost? Writes benchmarks/results/looks.json. Three
minutes for 300 scenes of each kind.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.detect import load_models
from benchmarks.record import machine, record
from service.detector import FaceDetector
from service.faces import Framing
from training.dataset import Dataset, Split
from training.scenes import HEIGHT, SURROUNDINGS, WIDTH, Scene, place

SIDES = ((24, 96), (96, 400), (400, 640))  # pixels a side of the faces' frames
SAME = 0.4  # least overlap with where a box usually lies in the frame
SMALLEST = 10  # pixels of a box


def truth(scene: Scene, framing: Framing) -> NDArray[np.float64]:
    """Where a box usually lies around the face of a scene: (4,), cut to the scene."""
    center = np.array([scene.x, scene.y]) + scene.side * np.array(framing.center)
    half = scene.side * np.array(framing.size) / 2
    corners = np.concatenate([center - half, center + half])
    return corners.clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])


def count(boxes: Any, expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """(2,): whether one of the boxes is the expected one, and how many others there are."""
    boxes = np.reshape(boxes, (-1, 4))
    low, high = np.maximum(boxes[:, :2], expected[:2]), np.minimum(boxes[:, 2:], expected[2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = [(of[..., 2:] - of[..., :2]).prod(axis=-1) for of in (boxes, expected)]
    right = shared / (areas[0] + areas[1] - shared) >= SAME
    return np.array([right.any(), (~right).sum()])


class Counting(FaceDetector):
    """Remembers what its looks cost, in first looks."""

    spent = 0.0

    def _pass(self, image: NDArray[np.uint8], side: int) -> Any:
        self.spent += (side / self._detection.input_side) ** 2
        return super()._pass(image, side)


def measure(
    images: NDArray[np.uint8], sides: tuple[int, int], detector: Counting
) -> dict[str, Any]:
    """What the looks find, one face a scene."""
    config, random = detector._detection, np.random.default_rng(4)
    others = {"coarse": config.coarse_side, "fine": config.fine_side}
    first, service = np.zeros(2, int), np.zeros(2, int)
    rest = {name: np.zeros(2, int) for name in others}
    nothing, spent = 0, 0.0
    for number, image in enumerate(tqdm(images, unit="scene", disable=None)):
        scene = place(image, SURROUNDINGS[number % len(SURROUNDINGS)], random, sides=sides)
        expected = truth(scene, detector.framing)
        seen = detector._sure(detector._pass(scene.image, config.input_side)).boxes
        first += count(seen, expected)
        if not len(seen):
            nothing += 1
            for name, side in others.items():
                boxes = detector._sure(detector._pass(scene.image, side)).boxes
                rest[name] += count(boxes, expected)
        detector.spent = 0.0
        faces = detector.detect(scene.image, min_face_size=SMALLEST)
        service += count([face.box for face in faces], expected)
        spent += detector.spent
    return {
        "scenes": len(images),
        "first look": _pair(first),
        "nothing in the first look": nothing,
        **{f"of these in the {name} look": _pair(found) for name, found in rest.items()},
        "service": {**_pair(service), "cost in first looks": round(spent / len(images), 2)},
    }


def _pair(found: NDArray[np.int64]) -> dict[str, int]:
    return {"faces": int(found[0]), "others": int(found[1])}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--count", type=int, default=300, help="scenes of each kind")
    arguments = parser.parse_args()
    begun_on = machine()
    models, detector, _ = load_models()
    training = Dataset.load(arguments.data).split(Split.TRAINING).images
    images = training[np.random.default_rng(3).permutation(len(training))[: arguments.count]]
    counting = Counting(detector._session, detector._refiner)
    result = {
        "models": models,
        **{f"{low} to {high} px": measure(images, (low, high), counting) for low, high in SIDES},
    }
    record("looks", begun_on, result)


if __name__ == "__main__":
    main()
