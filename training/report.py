"""The paper reproduced, as a page: `python -m training.report --data F --out docs/report`.

Measures every system that is trained, writes results.json, draws the paper's twelve figures, and
writes README.md from results.json. What isn't trained is said to be so. What was, on a machine
whose runs/ isn't here, stays as results.json has it. Figures that show faces of the data set go to
OUT/pictures, which git ignores; the deployment test asks the service at --url.

--smoke rehearses the whole of it on 700 images: the data is audited, each system is trained for one
epoch, exported and reported, under OUT.
"""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from training import audit, charts, illustrations
from training.batches import class_weights
from training.comparison import compare_systems, compare_variants
from training.config import load_config
from training.dataset import Dataset, Split
from training.deployment import ask_about_each_class
from training.labels import EXPRESSIONS
from training.page import write_page
from training.published import CONFIGS, SYSTEMS
from training.release import write_json
from training.story import beside_published, paper_angry_recall
from training.systems import proposed

TIMED, TIMED_IN_REHEARSAL = 50, 5  # runs of each graph


def collect(
    dataset: Dataset,
    runs: Path,
    release: Path,
    earlier: dict[str, Any],
    *,
    rehearsal: bool = False,
) -> dict[str, Any]:
    """Every figure of the page but those of its pictures, ready for results.json.

    `earlier` is what an earlier report found on the same images, or nothing.
    """
    timed = TIMED_IN_REHEARSAL if rehearsal else TIMED
    compared = compare_systems(dataset, runs, release, timed, earlier)
    labels_of_both = dataset.split(Split.TEST).labels
    # All images, as the paper counts them; training leaves out those that leak into a test split.
    splits = [Split(value) for value in np.unique(dataset.splits)]
    labels = {split.usage: dataset.labels[dataset.splits == split] for split in splits}
    test = _by_class(np.bincount(labels_of_both, minlength=7))
    trained = dataset.split(Split.TRAINING).labels
    weights = class_weights(np.bincount(trained, minlength=7))
    audited = runs / "audit" / "audit.json"
    return {
        "rehearsal": rehearsal,
        "data": {
            "counts": {k: _by_class(np.bincount(v, minlength=7)) for k, v in labels.items()},
            "test": test,
            "class_weights": {
                name: round(float(weight), 3)
                for name, weight in zip(EXPRESSIONS, weights, strict=True)
            },
        },
        **compared,
        "confusion_of": "proposed" if compared["systems"]["proposed"] else "mien",
        "paper_angry_recall": round(paper_angry_recall(test), 4),
        **compare_variants(runs, earlier, labels_of_both),
        "audit": json.loads(audited.read_text()) if audited.exists() else earlier.get("audit"),
    }


def draw_charts(results: dict[str, Any], out: Path) -> None:
    systems, data = results["systems"], results["data"]
    charts.draw_distribution(data["counts"], out / "class-distribution.svg")
    charts.draw_class_weights(data["class_weights"], out / "class-weights.svg")
    charts.draw_architecture(_layers(), out / "architecture.svg")
    charts.draw_curves(systems, out / "curves.svg")
    shown = results["confusion_of"]
    charts.draw_confusion(shown, systems[shown]["confusion"], out / "confusion.svg")
    rows = [
        (s.name, s.published, found and 100 * beside_published(s, found)[0])
        for s, found in ((s, systems[s.name]) for s in SYSTEMS)
    ]
    charts.draw_literature(rows, out / "literature.svg")


def draw_pictures(
    dataset: Dataset, runs: Path, release: Path, url: str | None, out: Path
) -> dict[str, Any]:
    """Draw what can be drawn: the deployment's answers, and why a picture is missing."""
    out.mkdir(parents=True, exist_ok=True)
    missing, answers = [], []
    augmentation = load_config(CONFIGS / "paper_proposed.py").augmentation
    illustrations.draw_samples(dataset, out / "samples.png")
    illustrations.draw_augmentations(dataset, augmentation, out / "augmentations.png")
    findings = runs / "audit" / "findings.csv"
    if findings.exists():
        audit.draw_findings(dataset, audit.read_findings(findings), out)
    else:
        missing.append("figures 4 and 5 are missing: training.audit has not run on this machine")
    if "maps" in json.loads((release / "config.json").read_text())["outputs"]:
        illustrations.draw_maps(release, dataset, out / "grad-cam.png")
    else:
        missing.append("figure 11 is missing: the release has no Grad-CAM maps")
    if url:
        answers = ask_about_each_class(url, dataset)
        illustrations.draw_deployment(dataset, answers, out / "deployment.png")
    else:
        missing.append("figure 12 is missing: it needs `--url` of a running service")
    return {"missing_pictures": missing, "deployment": [asdict(answer) for answer in answers]}


def report(
    dataset: Dataset,
    runs: Path,
    release: Path,
    out: Path,
    *,
    url: str | None = None,
    rehearsal: bool = False,
) -> None:
    """Write the whole folder: results.json, README.md, charts and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    earlier = {} if rehearsal else _earlier(out / "results.json")
    results = collect(dataset, runs, release, earlier, rehearsal=rehearsal)
    results |= draw_pictures(dataset, runs, release, url, out / "pictures")
    write_json(out / "results.json", results)
    draw_charts(results, out)
    write_page(results, out / "README.md")


def newest_release(models: Path) -> Path:
    """The expression model of the highest version; raises `FileNotFoundError` for none."""
    releases = [config.parent for config in models.glob("expression-*/config.json")]
    if not releases:
        raise FileNotFoundError(f"expected {models}/expression-X.Y.Z, as training.export writes it")
    return max(releases, key=lambda path: [int(n) for n in path.name.split("-")[1].split(".")])


def _earlier(path: Path) -> dict[str, Any]:
    """What an earlier report wrote; a rehearsal's figures mean nothing."""
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return {} if results.get("rehearsal") else results


def _by_class(counts: Any) -> dict[str, int]:
    return {name: int(count) for name, count in zip(EXPRESSIONS, counts, strict=True)}


def _layers() -> list[dict[str, str]]:
    """What the chart of the architecture shows of each layer."""
    return [
        {
            "layer": type(layer).__name__,
            "shape": " x ".join(str(side) for side in layer.output.shape[1:]),
            "parameters": f"{layer.count_params():,}" if layer.count_params() else "",
        }
        for layer in proposed.build().layers
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--out", type=Path, required=True, help="such as docs/report")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--release", type=Path, help="default: the newest of models/")
    parser.add_argument("--url", help="of a running service, for the deployment test")
    parser.add_argument("--smoke", action="store_true", help="rehearse on 700 images")
    arguments = parser.parse_args()
    dataset, runs = Dataset.load(arguments.data), arguments.runs
    if arguments.smoke:
        if _earlier(arguments.out / "results.json"):
            parser.error(f"{arguments.out} has a report, which a rehearsal would replace")
        from training.rehearsal import rehearse  # imports all that trains, which takes seconds

        runs = arguments.out / "rehearsed"  # which is removed first, so never anybody's runs
        dataset = rehearse(dataset, runs)
    release = arguments.release or newest_release(Path("models"))
    report(dataset, runs, release, arguments.out, url=arguments.url, rehearsal=arguments.smoke)
    print(f"written: {arguments.out / 'README.md'}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
