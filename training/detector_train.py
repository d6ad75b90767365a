"""Train our own face detector: `python -m training.detector train --photos PHOTOS`.

PHOTOS is a folder or a .zip of photos; nobody has to say what is in them, since what has no label
yet gets one from CenterFace first. A tenth is held back. The run's folder (runs/<config>/ unless
--out names another) holds the checkpoint, the log and the curves; the same command goes on from the
last checkpoint, which is at most an epoch or half a minute old. KERAS_BACKEND chooses what
computes: tensorflow, jax or torch.
"""

import argparse
import importlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainConfig, load_config
from training.curves import Curves
from training.detection_batches import DetectionBatches, Views
from training.detection_loss import DetectionLoss, Heat, box_loss, heat_loss, landmark_loss
from training.photo_set import PhotoSet, open_photo_set
from training.run import checksum, go_on, read_config
from training.train import build_optimizer, load_weights

CONFIG = Path(__file__).parent / "configs" / "detectors" / "face_detector_2_0.py"
RUN = Path("runs") / CONFIG.stem
CURVES = Curves(
    {"loss": "loss", "heat": "heat_loss", "boxes": "box_loss", "landmarks": "landmark_loss"},
    "held back",
)
JUDGED = 3  # every so many of the photos held back is looked at after each epoch


def build_network(config: TrainConfig, **arguments: Any) -> keras.Model:
    """The network that a config names; `arguments` are `build`'s beside the architecture."""
    module = importlib.import_module(f"training.systems.{config.system}")
    network: keras.Model = module.build(**config.architecture, **arguments)
    return network


def compile_network(
    network: keras.Model, config: TrainConfig, steps_per_epoch: int, heat: Heat = heat_loss
) -> None:
    network.compile(
        build_optimizer(config, steps_per_epoch),
        loss=DetectionLoss(heat),
        metrics=[
            keras.metrics.MeanMetricWrapper(heat, name="heat_loss"),
            box_loss,
            landmark_loss,
        ],
        # XLA takes longer to compile than the one epoch of a rehearsal.
        jit_compile="auto" if config.epochs > 1 else False,
    )


def learnt(photos: PhotoSet) -> int:
    """The checksum of what is learnt: which photos, and what is known of their faces."""
    parts: list[NDArray[Any]] = []
    for photo in (photos.labelled[row] for row in photos.training):
        name = np.frombuffer(os.fsencode(photo.name), np.uint8)
        parts += [name, photo.faces.boxes, photo.faces.landmarks, photo.sure]
    return checksum(parts)


def train(config: TrainConfig, photos: PhotoSet, folder: Path) -> keras.Model:
    """Train to the end, from the folder's checkpoint if it has one, and return the network."""
    batches, judged = (
        DetectionBatches(Views(photos.store, photos.labelled, rows), config, frozen=frozen)
        for rows, frozen in ((photos.training, False), (photos.held_back[::JUDGED], True))
    )
    return fit(config, batches, judged, folder, learnt(photos))


def fit(
    config: TrainConfig,
    batches: Any,
    judged: Any,
    folder: Path,
    data: int,
    heat: Heat = heat_loss,
) -> keras.Model:
    """The same with any batches, others to judge by after each epoch, and a loss of the heat.

    `data` is the checksum of what is learnt.
    """
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.precision)
    network = build_network(config)
    compile_network(network, config, len(batches), heat)

    about = (
        f"{network.count_params():,} parameters, "
        f"{len(batches) * config.batch_size} pictures an epoch"
    )
    go_on(network, config, batches, folder, about, data, curves=CURVES, validation_data=judged)
    return network


def load_detector(folder: Path, **arguments: Any) -> keras.Model:
    """The network of a run's last checkpoint with its averaged weights, in float32."""
    keras.mixed_precision.set_global_policy("float32")
    config = read_config(folder)
    network = build_network(config, **arguments)
    load_weights(network, config, folder)
    return network


def smoke(config: TrainConfig) -> TrainConfig:
    """The same run for one epoch: shows that every part works."""
    return replace(config, epochs=1, warmup_epochs=0.0, batch_size=8)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.detector train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder or a .zip of photos")
    parser.add_argument("--labels", type=Path, help="the folder that `label` wrote")
    parser.add_argument("--config", type=Path, default=CONFIG, help=f"like {CONFIG.name}")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/<config>)")
    parser.add_argument("--smoke", action="store_true", help="one epoch of 48 of the photos")
    chosen = parser.parse_args(arguments)
    config = load_config(chosen.config)
    folder = chosen.out or Path("runs") / chosen.config.stem
    if chosen.smoke:
        config, folder = smoke(config), folder.with_name(folder.name + "-smoke")
    photos = open_photo_set(chosen.photos, chosen.labels, smoke=chosen.smoke)
    train(config, photos, folder)
