"""The paper's table 3, measured: every system on the same images, in the same runtime, in one run.

Reads what training and export wrote, runs each graph once more over both test splits, and returns
plain dictionaries, ready for results.json. A system whose metrics.json is missing is not trained.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.metrics import mcnemar
from training.speed import measure_speed

WHOLE_TEST = "PublicTest + PrivateTest"  # the 7,178 images that the paper calls its test set
SPLITS = ("PrivateTest", "PublicTest", WHOLE_TEST)


class ReportError(ValueError):
    """A results file doesn't agree with the graph beside it."""


@dataclass(frozen=True)
class System:
    """One line of the table."""

    name: str
    published: float | None  # percent, as the paper quotes it
    config: str  # the name of its file in training/configs/, empty for the release
    remark: str


SYSTEMS = (
    System("proposed", 70.13, "paper_proposed", "the paper's own network and recipe"),
    System("VGGNet", 73.28, "paper_vggnet", "published on PublicTest, ten crops"),
    System("CNN", 66.67, "paper_cnn", "layers unpublished; ours are those of Khanzada et al. 2020"),
    System("SVM", 45.95, "paper_svm", "features unpublished; ours are HOG"),
    System(
        "CLCM", 63.0, "paper_clcm", "layers unpublished; ours are MobileNetV2's, less one halving"
    ),
    System("MobileNetV2", 58.0, "paper_mobilenetv2", "recipe unpublished, ours"),
    System("ShuffleNetV2", 65.0, "paper_shufflenetv2", "recipe unpublished, ours"),
    System("mien", None, "", "the release"),
)
BALANCING = {
    "none": "paper_proposed_unweighted",
    "class weights": "paper_proposed",
    "oversampling": "paper_proposed_oversampled",
}
CLEANING = {
    "as it is": "paper_proposed",
    "dropped": "paper_proposed_dropped",
    "relabelled": "paper_proposed_relabelled",
}


def compare_systems(dataset: Dataset, runs: Path, release: Path, timed: int) -> dict[str, Any]:
    """{"systems": by name, None if not trained; "mcnemar": neighbours; "speed": how measured}.

    Each graph is timed in `timed` runs.
    """
    folders = {
        system.name: runs / system.config / "model" if system.config else release
        for system in SYSTEMS
    }
    trained = {
        name: folder for name, folder in folders.items() if (folder / "metrics.json").exists()
    }
    test = dataset.split(Split.TEST)
    speed = measure_speed({n: f / "model.onnx" for n, f in trained.items()}, ["logits"], timed)
    milliseconds = speed.pop("milliseconds_by_crops")["1"]

    systems: dict[str, Any] = {system.name: None for system in SYSTEMS}
    right: dict[str, NDArray[np.bool_]] = {}
    for name, folder in trained.items():
        metrics = json.loads((folder / "metrics.json").read_text())
        said = run_model(folder / "model.onnx", test.images)["logits"].argmax(axis=1)
        right[name] = said == test.labels
        _check(folder, metrics, right[name])
        systems[name] = {
            **_figures(metrics),
            "bytes": (folder / "model.onnx").stat().st_size,
            "milliseconds": milliseconds[name],
        }
    return {"systems": systems, "mcnemar": _neighbours(right), "speed": speed}


def compare_runs(configs: dict[str, str], runs: Path) -> dict[str, Any]:
    """The figures of runs of the same network, by what differs; None where not trained."""
    found: dict[str, Any] = dict.fromkeys(configs)
    for name, config in configs.items():
        path = runs / config / "model" / "metrics.json"
        if path.exists():
            found[name] = _figures(json.loads(path.read_text()))
    return found


def convergence(history: list[dict[str, Any]], planned: int) -> str:
    """Whether a run converged: the last tenth of its epochs on average against the tenth before.

    Half a point of PublicTest's accuracy is what such means differ by without any reason.
    """
    if steps := history[0].get("newton_steps"):
        return f"{'solved' if steps < planned else 'not converged'}: {steps} Newton steps"
    if len(history) < planned:
        return f"not converged: {len(history)} of {planned} epochs"
    if len(history) == 1:
        return "not converged: a single epoch"
    accuracy = [_accuracy(epoch, "val_") for epoch in history]
    last = min(max(3, len(history) // 10), len(history) // 2)
    rise = float(np.mean(accuracy[-last:]) - np.mean(accuracy[-2 * last : -last]))
    if rise <= 0.005:
        return "converged"
    return f"not converged: still rising, {100 * rise:.1f} points in {last} epochs"


def _accuracy(epoch: dict[str, Any], prefix: str) -> float:
    """Keras leaves the head's name out where a network has one head only."""
    name = f"{prefix}logits_accuracy"
    value: float = epoch[name] if name in epoch else epoch[f"{prefix}accuracy"]
    return value


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    training = metrics["training"]
    history, splits = training["history"], metrics["splits"]
    planned = training.get("planned_epochs", training["epochs"])
    kept = ("images", "accuracy", "accuracy_interval_95", "balanced_accuracy")
    return {
        "splits": {name: {key: splits[name][key] for key in kept} for name in SPLITS},
        "recall": splits[WHOLE_TEST]["recall"],
        "confusion": splits[WHOLE_TEST]["confusion"],
        "ten_crop_accuracy": metrics.get("ten_crop_accuracy"),
        "parameters": training["parameters"],
        "macs": training["macs"],
        "epochs": training["epochs"],
        "planned_epochs": planned if "newton_steps" not in history[0] else 1,
        "hours": round(hours(history), 2),
        "devices": sorted({epoch.get("device", "not recorded") for epoch in history}),
        "convergence": convergence(history, planned),
        "curve": {
            "training": [_accuracy(epoch, "") for epoch in history],
            "PublicTest": [_accuracy(epoch, "val_") for epoch in history],
        },
    }


def hours(history: list[dict[str, Any]]) -> float:
    """What all epochs would take at the pace of the median one, on each device that computed some.

    The sum of their times would count the nights of a machine that slept.
    """
    seconds: dict[str, list[float]] = {}
    for epoch in history:
        seconds.setdefault(epoch.get("device", ""), []).append(epoch["seconds"])
    return sum(len(some) * float(np.median(some)) for some in seconds.values()) / 3600


def _check(folder: Path, metrics: dict[str, Any], right: NDArray[np.bool_]) -> None:
    """A few predictions may change on another CPU; more means that the files don't belong together.

    A part of the data set, such as a rehearsal's, can't be compared.
    """
    recorded = metrics["splits"][WHOLE_TEST]
    if recorded["images"] == len(right) and abs(recorded["accuracy"] - right.mean()) > 0.002:
        raise ReportError(
            f"{folder}: metrics.json records an accuracy of {recorded['accuracy']:.4f}, expected "
            f"{right.mean():.4f}, which model.onnx reaches"
        )


def _neighbours(right: dict[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    """McNemar's test of each system against the next better one."""
    order = sorted(right, key=lambda name: float(right[name].mean()), reverse=True)
    tests = []
    for better, worse in pairwise(order):
        only_better = int((right[better] & ~right[worse]).sum())
        only_worse = int((right[worse] & ~right[better]).sum())
        tests.append(
            {
                "better": better,
                "worse": worse,
                "only_better_right": only_better,
                "only_worse_right": only_worse,
                "p": float(f"{mcnemar(only_better, only_worse):.3g}"),
            }
        )
    return tests
