"""The paper's table 3, measured: every system on the same images, in the same runtime.

Reads what training and export wrote, runs each graph once more over both test splits, and returns
plain dictionaries, ready for results.json. A system whose metrics.json is missing stays as an
earlier report measured it, for the runs of all of them need not lie on one machine; one that no
report measured is not trained. The release is always there. All of them are timed together.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import load_config
from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.history import accuracy, convergence, hours, schedules
from training.neighbours import answers, compare_neighbours, digits
from training.published import CONFIGS, SYSTEMS, VARIANTS, System
from training.speed import measure_speed

WHOLE_TEST = "PublicTest + PrivateTest"  # the 7,178 images that the paper calls its test set
SPLITS = ("PrivateTest", "PublicTest", WHOLE_TEST)
MEASURED = ("bytes", "milliseconds", "said")  # of a system's graph, beside what metrics.json has


class ReportError(ValueError):
    """What a report is made of is missing, or does not belong together."""


def compare_systems(
    dataset: Dataset, runs: Path, release: Path, timed: int, earlier: dict[str, Any]
) -> dict[str, Any]:
    """{"systems": by name, None if not trained; "mcnemar": neighbours; "speed": how measured}.

    Each graph is timed in `timed` runs. `earlier` is an earlier report, or nothing; what is taken
    from there is named in "earlier". Raises `ReportError`.
    """
    if not (release / "metrics.json").exists():
        raise ReportError(f"{release}: expected a release with metrics.json, found none")
    folders = {
        system.name: runs / system.config / "model" if system.config else release
        for system in SYSTEMS
    }
    test = dataset.split(Split.TEST)
    systems: dict[str, Any] = {}
    graphs: dict[str, Path] = {}
    for name, folder in folders.items():
        if not (folder / "metrics.json").exists():
            systems[name] = earlier.get("systems", {}).get(name)
            if systems[name]:
                _check_earlier(name, systems[name], test.labels)
            continue
        metrics = json.loads((folder / "metrics.json").read_text())
        graphs[name] = folder / "model.onnx"
        said = run_model(graphs[name], test.images)["logits"].argmax(axis=1)
        _check(f"{folder}: metrics.json", metrics, said == test.labels)
        systems[name] = {
            **_figures(metrics),
            "bytes": graphs[name].stat().st_size,
            "said": digits(said),
        }
    trained = {name: system for name, system in systems.items() if system}
    kept = [name for name in trained if name not in graphs]
    with tempfile.TemporaryDirectory() as scratch:
        graphs |= _untrained([s for s in SYSTEMS if s.name in kept], Path(scratch))
        speed = measure_speed(graphs, ["logits"], timed, crops=(1,))
    for name, milliseconds in speed.pop("milliseconds_by_crops")["1"].items():
        systems[name] = {**systems[name], "milliseconds": milliseconds}
    return {
        "systems": systems,
        "earlier": kept,
        "mcnemar": compare_neighbours(trained, test.labels, earlier.get("mcnemar", ())),
        "speed": speed,
    }


def compare_variants(
    runs: Path, earlier: dict[str, Any], labels: NDArray[np.uint8]
) -> dict[str, dict[str, Any]]:
    """The figures of runs of the same network, by what differs; None where not trained.

    `earlier` is an earlier report, or nothing; what is taken from there says so as "earlier".
    `labels` are those of both test splits. Raises `ReportError`.
    """
    # A run may be in several tables, and in table 3, which has more of it.
    kept: dict[str, dict[str, Any]] = {
        system.config: {name: value for name, value in figures.items() if name not in MEASURED}
        for system in SYSTEMS
        if (figures := earlier.get("systems", {}).get(system.name))
    } | {
        config: figures
        for table, configs in VARIANTS.items()
        for name, config in configs.items()
        if (figures := earlier.get(table, {}).get(name))
    }

    def figures_of(name: str, config: str) -> dict[str, Any] | None:
        path = runs / config / "model" / "metrics.json"
        if path.exists():
            return _figures(json.loads(path.read_text()))
        if config not in kept:
            return None
        _check_earlier(name, kept[config], labels)
        return kept[config] | {"earlier": True}

    return {
        table: {name: figures_of(name, config) for name, config in configs.items()}
        for table, configs in VARIANTS.items()
    }


def _untrained(systems: list[System], folder: Path) -> dict[str, Path]:
    """Graphs to be timed in place of those whose runs are elsewhere: weights cost no time."""
    from training.export import write_onnx  # needs TensorFlow's exporter
    from training.train import build_trainable

    graphs = {}
    for system in systems:
        config = load_config(CONFIGS / f"{system.config}.py")
        graphs[system.name] = folder / f"{system.config}.onnx"
        write_onnx(build_trainable(config), graphs[system.name], maps=False)
    return graphs


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
        "schedules": schedules(history),
        "hours": round(hours(history), 2),
        "devices": sorted({epoch.get("device", "not recorded") for epoch in history}),
        "convergence": convergence(history, planned),
        "curve": {
            "training": [accuracy(epoch, "") for epoch in history],
            "PublicTest": [accuracy(epoch, "val_") for epoch in history],
        },
    }


def _check(source: str, figures: dict[str, Any], right: NDArray[np.bool_]) -> None:
    """A few predictions may change on another CPU; more means that the files don't belong together.

    A part of the data set, such as a rehearsal's, can't be compared.
    """
    recorded = figures["splits"][WHOLE_TEST]
    if recorded["images"] == len(right) and abs(recorded["accuracy"] - right.mean()) > 0.002:
        raise ReportError(
            f"{source} records an accuracy of {recorded['accuracy']:.4f}, expected "
            f"{right.mean():.4f}, which the predictions reach on these images"
        )


def _check_earlier(name: str, figures: dict[str, Any], labels: NDArray[np.uint8]) -> None:
    """What another report found can only stand beside what is found on the same images."""
    images = figures["splits"][WHOLE_TEST]["images"]
    if images != len(labels):
        raise ReportError(
            f"results.json has {name} on {images} images, expected {len(labels)}, as in the data; "
            "name another folder in --out for other data"
        )
    if "said" in figures:
        _check(f"results.json: {name}", figures, answers(figures["said"]) == labels)
