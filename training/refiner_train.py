"""Train the second look of our face detector, on what the first one proposes.

    python -m training.detector refine --photos PHOTOS --data FER2013.npz

Needs the run of the first look that `train` wrote, and goes on from the last checkpoint in
RUN/refiner, as all training does.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainConfig, load_config
from training.dataset import Dataset, Split
from training.detection_loss import soft_heat_loss
from training.detector_graph import convert
from training.detector_train import JUDGED, RUN, fit, learnt, load_detector, smoke
from training.photo_set import PhotoSet, open_photo_set
from training.refiner_batches import CROPS, RefinerBatches
from training.refiner_plates import cut_plates
from training.run import checksum

CONFIG = Path(__file__).parent / "configs" / "detectors" / "face_refiner_2_0.py"
FOLDER = "refiner"  # of the first look's run
JUDGED_CROPS = 2048
SMOKE_CROPS = 512


def train(
    config: TrainConfig,
    photos: PhotoSet,
    faces: NDArray[np.uint8],
    run: Path,
    *,
    crops: int = CROPS,
) -> keras.Model:
    """Train to the end, from RUN/refiner's checkpoint if it has one, and return the network.

    `faces` (N, 48, 48) are FER-2013's Training images; an epoch has as many `crops`.
    """
    first_look = load_detector(run)
    proposer = convert(first_look).SerializeToString()
    plates = cut_plates(proposer, photos, photos.training, faces)
    held_back = cut_plates(proposer, photos, photos.held_back[::JUDGED], faces[:0], seed=1)
    return fit(
        config,
        RefinerBatches(plates, config, crops=crops),
        RefinerBatches(held_back, config, crops=min(crops, JUDGED_CROPS), frozen=True),
        run / FOLDER,
        checksum([*first_look.get_weights(), np.array(learnt(photos)), faces]),
        heat=soft_heat_loss,
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.detector refine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder or a .zip of photos")
    parser.add_argument("--labels", type=Path, help="the folder that `label` wrote")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--config", type=Path, default=CONFIG, help=f"like {CONFIG.name}")
    parser.add_argument("--run", type=Path, default=RUN, help="what `train` wrote")
    parser.add_argument("--smoke", action="store_true", help="one epoch of the rehearsal's photos")
    chosen = parser.parse_args(arguments)
    config, run, crops = load_config(chosen.config), chosen.run, CROPS
    faces = Dataset.load(chosen.data).split(Split.TRAINING).images
    if chosen.smoke:
        config, run, crops = smoke(config), run.with_name(run.name + "-smoke"), SMOKE_CROPS
        faces = faces[:100]
    photos = open_photo_set(chosen.photos, chosen.labels, smoke=chosen.smoke)
    train(config, photos, faces, run, crops=crops)
