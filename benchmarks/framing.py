"""How to cut a face out of a photo, measured: `python -m benchmarks.framing --data FER2013.npz`.

Images of FER-2013 stand in larger scenes, upright and rolled by 20 degrees to either side. What the
detector finds is cut out in several ways, which differ from the service's in one thing each: what
tells the side of the square, or how much of a roll is left. The expression model reads each crop.
Training images are there to choose a way by, PublicTest ones that nothing was chosen with to
confirm it. Writes benchmarks/results/framing.json: how often each way is right, and McNemar's test
of each against the service's on the same faces. Five minutes for 1000 scenes of each kind.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.closed_loop import is_right, untouched
from benchmarks.detect import load_models
from benchmarks.record import machine, record
from service.classifier import ExpressionClassifier
from service.detector import FaceDetector
from service.faces import Face, Framing, crop_face
from training.dataset import Dataset, Split
from training.metrics import mcnemar
from training.scenes import SURROUNDINGS, place

ROLL = 20.0  # degrees
SERVICE = "as the service does"

Cut = Callable[[NDArray[np.uint8], Face, Framing], NDArray[np.uint8]]


def by_side(share_of_height: float) -> Cut:
    """With a side that tells the box's height, or its width, or partly the one and the other."""

    def cut(scene: NDArray[np.uint8], face: Face, framing: Framing) -> NDArray[np.uint8]:
        size = np.array(framing.size)
        center = (face.box[:2] + face.box[2:]) / 2
        by_width, by_height = (face.box[2:] - face.box[:2]) / size
        # A box from which width and height tell the same side.
        half = by_width ** (1 - share_of_height) * by_height**share_of_height * size / 2
        box = np.concatenate([center - half, center + half]).astype(np.float32)
        return crop_face(scene, box, framing, roll=face.roll)

    return cut


def up_to(degrees: float) -> Cut:
    """With so much of a roll left as it is."""

    def cut(scene: NDArray[np.uint8], face: Face, framing: Framing) -> NDArray[np.uint8]:
        return crop_face(scene, face.box, replace(framing, upright=degrees), roll=face.roll)

    return cut


WAYS: dict[str, Cut] = {
    SERVICE: lambda scene, face, framing: crop_face(scene, face.box, framing, roll=face.roll),
    "side from the width": by_side(0),
    "side from the height": by_side(1),
    "side from both, the height thrice": by_side(0.75),
    "any roll stays": up_to(180),
    "no roll stays": up_to(0),
    "a roll of 4 degrees stays": up_to(4),
    "a roll of 12 degrees stays": up_to(12),
    "a roll of 16 degrees stays": up_to(16),
}


def measure(
    images: Dataset, roll: float, detector: FaceDetector, classifier: ExpressionClassifier
) -> dict[str, Any]:
    """How often each way is right, on the same scenes; every second one is rolled the other way."""
    random = np.random.default_rng(2)
    found, cuts = [], []
    for number, image in enumerate(tqdm(images.images, unit="scene", disable=None)):
        kind = SURROUNDINGS[number % len(SURROUNDINGS)]
        scene = place(image, kind, random, roll=-roll if number % 2 else roll).image
        for face in detector.detect(scene, max_faces=1):
            found.append(number)
            cuts.append([cut(scene, face, detector.framing) for cut in WAYS.values()])
    crops = np.array(cuts, np.uint8).swapaxes(0, 1)
    labels = images.labels[found]
    right = {
        way: is_right(classifier, of_way, labels) for way, of_way in zip(WAYS, crops, strict=True)
    }
    return {
        "scenes": len(images),
        "missed": round(1 - len(found) / len(images), 4),
        "ways": {way: compare(values, right[SERVICE]) for way, values in right.items()},
    }


def compare(right: NDArray[np.bool_], service: NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy; how many faces only this way and only the service got right; McNemar's p."""
    gained, lost = int((right & ~service).sum()), int((~right & service).sum())
    return {
        "accuracy": round(float(right.mean()), 4),
        "gained": gained,
        "lost": lost,
        "p": float(f"{mcnemar(gained, lost):.2g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.framing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--count", type=int, default=1000, help="scenes of each kind")
    arguments = parser.parse_args()
    begun_on = machine()
    models, detector, classifier = load_models()

    data = Dataset.load(arguments.data)
    training = data.split(Split.TRAINING)
    chosen = np.random.default_rng(1).permutation(len(training))[: arguments.count]
    splits = {
        "Training": training.take(chosen),
        "PublicTest": untouched(data.split(Split.PUBLIC_TEST), arguments.count),
    }
    result = {
        "models": models,
        "upright": detector.framing.upright,
        **{
            f"{split}, {name}": measure(images, roll, detector, classifier)
            for split, images in splits.items()
            for name, roll in (("upright", 0.0), (f"rolled by {ROLL:g} degrees", ROLL))
        },
    }
    record("framing", begun_on, result)


if __name__ == "__main__":
    main()
