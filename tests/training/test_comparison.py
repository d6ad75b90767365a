"""What the table says of each system, and who is better than whom."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.comparison import WHOLE_TEST, ReportError, compare_systems, compare_variants
from training.dataset import Dataset, Split


def test_what_is_not_trained_is_none(compared: Path, dataset: Dataset) -> None:
    found = compare_systems(dataset, compared / "runs", compared / "release", timed=5, earlier={})
    trained = {name for name, system in found["systems"].items() if system}
    assert trained == {"proposed", "mien"}
    (test,) = found["mcnemar"]
    assert {test["better"], test["worse"]} == trained
    assert test["p"] == 1  # both are the same network here
    assert found["speed"]["threads"] == 1


def test_figures_are_those_of_metrics_json(compared: Path, dataset: Dataset) -> None:
    found = compare_systems(dataset, compared / "runs", compared / "release", timed=5, earlier={})
    path = compared / "runs" / "paper_proposed" / "model" / "metrics.json"
    metrics = json.loads(path.read_text())
    proposed = found["systems"]["proposed"]
    for split in ("PrivateTest", "PublicTest", WHOLE_TEST):
        for figure, value in proposed["splits"][split].items():
            assert value == metrics["splits"][split][figure]
    assert proposed["macs"] == metrics["training"]["macs"]
    assert proposed["bytes"] == path.with_name("model.onnx").stat().st_size


def test_a_release_without_figures_is_refused(compared: Path, dataset: Dataset) -> None:
    with pytest.raises(ReportError, match=r"expected a release with metrics\.json"):
        compare_systems(dataset, compared / "runs", compared / "none", timed=5, earlier={})


def test_variants_of_other_images_are_refused(compared: Path, dataset: Dataset) -> None:
    runs, labels = compared / "runs", dataset.split(Split.TEST).labels
    earlier = compare_variants(runs, {}, labels)
    assert compare_variants(runs, {}, labels[1:]) == earlier  # measured, not kept
    with pytest.raises(ReportError, match="100 epochs on"):
        compare_variants(compared / "none", earlier, labels[1:])


def test_a_run_in_several_tables_is_kept_for_all(compared: Path, dataset: Dataset) -> None:
    runs, labels = compared / "runs", dataset.split(Split.TEST).labels
    found = compare_variants(runs, {}, labels)
    before = {"balancing": found["balancing"]}  # a report of before the other tables
    kept = compare_variants(compared / "none", before, labels)
    assert kept["cleaning"]["as it is"] == found["balancing"]["class weights"] | {"earlier": True}
    # Table 3 has the same, and more: what only its graph can tell stays there.
    table3 = compare_systems(dataset, runs, compared / "release", timed=5, earlier={})
    assert compare_variants(compared / "none", table3, labels)["cleaning"] == kept["cleaning"]


def test_metrics_of_another_graph_are_refused(
    compared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "paper_proposed" / "model"
    folder.mkdir(parents=True)
    source = compared / "runs" / "paper_proposed" / "model"
    (folder / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    metrics = json.loads((source / "metrics.json").read_text())
    metrics["splits"][WHOLE_TEST]["accuracy"] -= 0.1
    (folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(ReportError, match="records an accuracy of"):
        compare_systems(dataset, tmp_path, compared / "release", timed=5, earlier={})


def test_what_another_machine_trained_stays_as_it_was_measured(
    compared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    first = compare_systems(dataset, compared / "runs", compared / "release", 5, earlier={})
    # A report on a machine without runs/, of which the release alone can be measured.
    second = compare_systems(dataset, tmp_path, compared / "release", 5, earlier=first)
    assert second["earlier"] == ["proposed"]
    for figure, value in first["systems"]["proposed"].items():
        if figure != "milliseconds":
            assert second["systems"]["proposed"][figure] == value
    assert second["mcnemar"] == first["mcnemar"]
    # Its time is that of the network of its recipe, which is much larger than the one here.
    assert second["systems"]["proposed"]["milliseconds"] > second["systems"]["mien"]["milliseconds"]


def test_what_was_measured_on_other_images_is_refused(
    compared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    found = compare_systems(dataset, compared / "runs", compared / "release", 5, earlier={})
    earlier = {"systems": {"proposed": found["systems"]["proposed"]}}
    fewer = dataset.take(np.arange(len(dataset) - 1))
    with pytest.raises(ReportError, match=r"expected \d+, as in the data"):
        compare_systems(fewer, tmp_path, compared / "release", 5, earlier)
    other = replace(dataset, labels=(dataset.labels + 1) % 7)
    with pytest.raises(ReportError, match=r"results\.json: proposed records an accuracy"):
        compare_systems(other, tmp_path, compared / "release", 5, earlier)
