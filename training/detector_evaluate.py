"""How good a run is on photos held back: `python -m training.detector evaluate --photos PHOTOS`.

Writes the run's graphs to RUN/model and measures both, beside CenterFace at the same size, against
what CenterFace is sure of at twice and three times that. metrics.json there holds the figures.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from training import cells, centerface
from training.canvas import show
from training.detection_metrics import SIDE, figures, judge
from training.detector_graph import OUTPUTS, write_graphs
from training.detector_train import RUN, load_detector
from training.found import Find, Found, strongest
from training.photo_set import PhotoSet, open_photo_set
from training.photos import Pixels
from training.quantize import FP32, INT8
from training.release import write_json
from training.teacher import GRAPH

FAINTEST = 0.02  # least score that is looked at
CALIBRATION_PHOTOS = 128
MULTIPLE_OF = 16


def find(graph: bytes, photo: Pixels, threshold: float = FAINTEST) -> Found:
    """The faces that our detector sees in an RGB photo, as the service looks, best first."""
    shown = show(photo, SIDE, MULTIPLE_OF)
    scores, numbers = centerface.load_graph(graph).run(OUTPUTS, {"image": shown.pixels[None]})
    size = shown.pixels.shape[:2]
    return cells.faces(scores[0], numbers[0], size, threshold).scaled(*shown.factors)


def measure(finders: dict[str, Find], photos: PhotoSet) -> dict[str, Any]:
    """The figures of each detector, on all photos held back."""
    held = [(photos.store[row], photos.labelled[row]) for row in photos.held_back]
    return {name: figures(*judge(each, held)) for name, each in finders.items()}


def evaluate(run: Path, photos: PhotoSet) -> dict[str, Any]:
    """Write RUN/model with its metrics.json."""
    folder = run / "model"
    step = max(1, len(photos.training) // CALIBRATION_PHOTOS)
    calibration = [photos.store[row] for row in photos.training[::step]]
    write_graphs(load_detector(run), calibration, SIDE, folder)
    teacher = partial(centerface.find, GRAPH.read_bytes(), side=SIDE, threshold=FAINTEST)
    found = measure(
        {
            "fp32": partial(find, (folder / FP32).read_bytes()),
            "int8": partial(find, (folder / INT8).read_bytes()),
            "CenterFace at the same size": lambda photo: strongest(teacher(photo), cells.NMS_IOU),
        },
        photos,
    )
    write_json(folder / "metrics.json", found)
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.detector evaluate", description=__doc__
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder or a .zip of photos")
    parser.add_argument("--labels", type=Path, help="the folder that `label` wrote")
    parser.add_argument("--run", type=Path, default=RUN, help="what `train` wrote")
    parser.add_argument("--smoke", action="store_true", help="the rehearsal's run and photos")
    chosen = parser.parse_args(arguments)
    run = chosen.run.with_name(chosen.run.name + "-smoke") if chosen.smoke else chosen.run
    photos = open_photo_set(chosen.photos, chosen.labels, smoke=chosen.smoke)
    print(json.dumps(evaluate(run, photos), indent=1))
