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
from training.cascade import FAINTEST, Cascade, propose
from training.detection_metrics import (
    SIDE,
    SMALLEST,
    figures,
    judge,
    threshold,
    turned,
    turned_threshold,
)
from training.detector_graph import write_graph, write_graphs
from training.detector_train import RUN, load_detector
from training.found import Find, strongest
from training.photo_set import PhotoSet, open_photo_set
from training.photos import PhotosError
from training.quantize import FP32, INT8
from training.refiner_train import FOLDER as REFINER
from training.release import write_json
from training.teacher import GRAPH

CALIBRATION_PHOTOS = 128
CENTERFACE = "CenterFace at the same size"
FALSE_PROPOSALS = 8.0  # a photo, of the first look: what the second look is asked to bear


def evaluate(run: Path, photos: PhotoSet) -> dict[str, Any]:
    """Write RUN/model with its metrics.json; raises `PhotosError` if there is no face to find."""
    folder = run / "model"
    step = max(1, len(photos.training) // CALIBRATION_PHOTOS)
    calibration = [photos.store[row] for row in photos.training[::step]]
    write_graphs(load_detector(run), calibration, SIDE, folder)
    write_graph(load_detector(run / REFINER), folder / REFINER)
    refiner = (folder / REFINER / FP32).read_bytes()
    proposers = {"fp32": (folder / FP32).read_bytes(), "int8": (folder / INT8).read_bytes()}
    held = [(photos.store[row], photos.labelled[row]) for row in photos.held_back]
    alone = judge(partial(propose, proposers["fp32"], side=SIDE, threshold=FAINTEST), held)
    if not len(alone[0].scores):
        raise PhotosError(f"expected a face of {SMALLEST:g} px on a photo held back, found none")
    proposed_from = round(threshold(*alone, FALSE_PROPOSALS), 4)
    teacher = partial(centerface.find, GRAPH.read_bytes(), side=SIDE, threshold=FAINTEST)
    finders: dict[str, Find] = {
        **{name: Cascade(graph, refiner, proposed_from).find for name, graph in proposers.items()},
        CENTERFACE: lambda photo: strongest(teacher(photo), cells.NMS_IOU),
    }
    found = {
        name: {
            **figures(*judge(find, held)),
            "turned_threshold": round(turned_threshold(*judge(find, turned(held))), 4),
        }
        for name, find in finders.items()
    }
    found["first look alone"] = {**figures(*alone), "proposed_from": proposed_from}
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
