"""Predictions for images that the network never saw: `python -m training.folds CONFIG --data F`.

Trains the config's network k times, each on all but one k-th of Training, and lets each predict the
part that it didn't see; test images get the mean of all k. Every fold is a run's folder of its own,
so the same command goes on where it was stopped. `training.audit` reads out_of_fold.npz.
"""

import argparse
import os
import zlib
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.config import TrainConfig, load_config
from training.dataset import Dataset, Split
from training.metrics import Floats, softmax
from training.train import smoke, train


def assign(images: NDArray[np.uint8], folds: int) -> NDArray[np.int64]:
    """[N]: each image's fold, by its pixels, so that doubles never stand on both sides."""
    return np.array([zlib.crc32(image.tobytes()) % folds for image in images])


def predict_out_of_fold(config: TrainConfig, dataset: Dataset, folds: int, folder: Path) -> Floats:
    """[N, 7] probabilities, each from a network that wasn't trained on that image."""
    fold_of = assign(dataset.images, folds)
    in_training = dataset.splits == Split.TRAINING
    probabilities = np.zeros((len(dataset), 7), np.float32)
    for fold in range(folds):
        held_out = in_training & (fold_of == fold)
        # A fold that is trained already is only loaded, if its recipe and images are these.
        network = train(config, dataset.take(~held_out), folder / f"fold-{fold}-of-{folds}")
        probabilities[held_out] = _predict(network, dataset.images[held_out])
        probabilities[~in_training] += _predict(network, dataset.images[~in_training]) / folds
    return probabilities


def _predict(network: keras.Model, images: NDArray[np.uint8]) -> Floats:
    return softmax(network.predict(images, batch_size=256, verbose=0)["logits"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.folds", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of training/configs/")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--folds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/audit_folds"))
    parser.add_argument("--smoke", action="store_true", help="one epoch of 1 %% of the images")
    arguments = parser.parse_args()
    config, dataset = load_config(arguments.config), Dataset.load(arguments.data)
    folder: Path = arguments.out
    if arguments.smoke:
        config, dataset = smoke(config, dataset)
        folder = folder.with_name(folder.name + "-smoke")
    probabilities = predict_out_of_fold(config, dataset, arguments.folds, folder)
    np.savez_compressed(folder / "out_of_fold.npz", probabilities=probabilities)
    right = probabilities.argmax(axis=1) == dataset.labels
    for split in np.unique(dataset.splits):
        print(f"{Split(split).usage}: {right[dataset.splits == split].mean():.2%}, out of fold")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
