"""What each part of the recipe gives: `python -m training.ablation --data FER2013.npz --out DIR`.

Runs the finished ablations (training/configs/ablation*.py), and the release's network with and
without its teachers, over PublicTest and writes the table
into a release's metrics.json and card. PrivateTest stays untouched: these runs are for choosing.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.card import write_card
from training.dataset import Dataset, Split
from training.metrics import balanced_accuracy, mcnemar
from training.release import amend
from training.systems import count_macs
from training.train import load_network

TAUGHT, ALONE = "expression_2_0", "expression_2_0_alone"  # the same run with and without teachers
REFERENCE = "ablation"
CHANGES = {
    "without FER+'s votes": "ablation_ferplus",
    "without label smoothing": "ablation_smoothing",
    "without erasing": "ablation_erasing",
    "without light, blur, noise, JPEG": "ablation_camera",
    "mirroring alone": "ablation_flip",
    "with mixup": "ablation_mixup",
    "with class weights": "ablation_class_weights",
    "with a fifth of the weight decay": "ablation_weight_decay",
}


class AblationError(ValueError):
    """A run is missing or not finished."""


def measure_ablation(runs: Path, dataset: Dataset) -> dict[str, Any]:
    """{"split", "macs", "epochs", "accuracy", "balanced_accuracy", "changes": by what differs}.

    "taught", by the same names, is the run with teachers, and its only change the one without them.
    `p` is McNemar's exact test against the reference, on the same images. Raises AblationError.
    """
    public = dataset.split(Split.PUBLIC_TEST)
    return {
        "split": "PublicTest",
        **_compare(runs, REFERENCE, CHANGES, public),
        "taught": _compare(runs, TAUGHT, {"without teachers": ALONE}, public),
    }


def _compare(
    runs: Path, reference: str, changes: dict[str, str], images: Dataset
) -> dict[str, Any]:
    network, epochs = _finished(runs / reference)
    predicted = _predict(network, images)
    right_before = predicted == images.labels
    whole = {"macs": count_macs(network), "epochs": epochs, **_figures(predicted, images.labels)}
    rows = {}
    for change, name in changes.items():
        changed, _ = _finished(runs / name)
        predicted = _predict(changed, images)
        right = predicted == images.labels
        gained, lost = (right & ~right_before).sum(), (right_before & ~right).sum()
        p = float(f"{mcnemar(int(gained), int(lost)):.3g}")
        rows[change] = {**_figures(predicted, images.labels), "p": p}
    return {**whole, "changes": rows}


def _finished(run: Path) -> tuple[keras.Model, int]:
    """A run's network and the number of its epochs."""
    if not (run / "log.json").exists():
        command = f"python -m training.train training/configs/{run.name}.py --data FER2013.npz"
        raise AblationError(f"{run}: no run, expected what `{command}` writes")
    done = len(json.loads((run / "log.json").read_text()))
    planned = json.loads((run / "config.json").read_text())["epochs"]
    if done < planned:
        raise AblationError(f"{run}: stopped after {done} epochs, expected {planned}")
    return load_network(run), done


def _predict(network: keras.Model, images: Dataset) -> NDArray[np.int64]:
    logits = network.predict(images.images, batch_size=256, verbose=0)["logits"]
    predicted: NDArray[np.int64] = logits.argmax(axis=1)
    return predicted


def _figures(predicted: NDArray[np.int64], labels: NDArray[np.uint8]) -> dict[str, float]:
    return {
        "accuracy": round(float((predicted == labels).mean()), 5),
        "balanced_accuracy": round(balanced_accuracy(predicted, labels), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--out", type=Path, required=True, help="the release, a folder of models/")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    figures = measure_ablation(arguments.runs, Dataset.load(arguments.data))
    amend(arguments.out, {"ablation": figures})
    write_card(arguments.out)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
