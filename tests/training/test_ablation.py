"""The table of ablations: from finished runs, on the same images, refused unfinished."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from training.ablation import (
    ALONE,
    CHANGES,
    REFERENCE,
    TAUGHT,
    AblationError,
    main,
    measure_ablation,
)
from training.config import load_config
from training.dataset import Dataset, Split
from training.metrics import mcnemar
from training.release import write_json
from training.train import load_network

CONFIGS = Path("training/configs")


@pytest.fixture
def runs(run: Path, tmp_path: Path) -> Path:
    """Every ablation's folder, all of them the same finished run."""
    for name in (REFERENCE, *CHANGES.values(), TAUGHT, ALONE):
        shutil.copytree(run, tmp_path / name)
    return tmp_path


def test_each_ablation_changes_one_thing() -> None:
    reference = load_config(CONFIGS / f"{REFERENCE}.py")
    for name in CHANGES.values():
        changed = load_config(CONFIGS / f"{name}.py")
        fields = [key for key, value in vars(reference).items() if value != vars(changed)[key]]
        assert len(fields) == 1, f"{name}: {fields}"


def test_the_run_without_teachers_changes_nothing_else() -> None:
    taught, alone = (vars(load_config(CONFIGS / f"{name}.py")) for name in (TAUGHT, ALONE))
    assert {key for key, value in taught.items() if value != alone[key]} == {
        "teachers",
        "teacher_weight",
    }


def test_every_ablation_config_is_in_the_table() -> None:
    written = {path.stem for path in CONFIGS.glob("ablation*.py")}
    assert written == {REFERENCE, *CHANGES.values()}


def test_equal_networks_differ_by_nothing(runs: Path, dataset: Dataset) -> None:
    figures = measure_ablation(runs, dataset)
    assert 0 < figures["accuracy"] <= 1
    assert list(figures["changes"]) == list(CHANGES)
    assert list(figures["taught"]["changes"]) == ["without teachers"]
    for row in (*figures["changes"].values(), *figures["taught"]["changes"].values()):
        assert row["accuracy"] == figures["accuracy"]
        assert row["balanced_accuracy"] == figures["balanced_accuracy"]
        assert row["p"] == 1.0


def test_another_network_is_compared_on_the_same_images(runs: Path, dataset: Dataset) -> None:
    folder = runs / "ablation_flip"
    other = load_network(folder)
    random = np.random.default_rng(0)
    for weight in other.trainable_variables:
        weight.assign(weight + random.normal(0, 0.3, weight.shape))
    other.save_weights(folder / "checkpoint.weights.h5")

    public = dataset.split(Split.PUBLIC_TEST)
    before, after = (
        network.predict(public.images, verbose=0)["logits"].argmax(axis=1) == public.labels
        for network in (load_network(runs / REFERENCE), other)
    )
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert gained + lost > 0

    changes = measure_ablation(runs, dataset)["changes"]
    (name,) = (change for change, run in CHANGES.items() if run == "ablation_flip")
    assert changes[name]["accuracy"] == pytest.approx(after.mean(), abs=1e-5)
    assert changes[name]["p"] == pytest.approx(mcnemar(gained, lost), rel=1e-2)


def test_an_unfinished_run_is_refused(runs: Path, dataset: Dataset) -> None:
    log = runs / "ablation_mixup" / "log.json"
    log.write_text(json.dumps(json.loads(log.read_text())[:1]))
    with pytest.raises(AblationError, match=r"ablation_mixup: stopped after 1 epochs, expected 2"):
        measure_ablation(runs, dataset)


def test_a_missing_run_names_the_command(runs: Path, dataset: Dataset) -> None:
    shutil.rmtree(runs / "ablation_flip")
    with pytest.raises(AblationError, match=r"training\.train training/configs/ablation_flip\.py"):
        measure_ablation(runs, dataset)


def test_the_command_writes_metrics_and_card(
    runs: Path,
    dataset: Dataset,
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset.save(tmp_path / "data.npz")
    release = tmp_path / "expression-9.9.9"
    release.mkdir()
    source = sorted(models_dir.glob("expression-*"))[-1]
    metrics = json.loads((source / "metrics.json").read_text())
    metrics.pop("ablation", None)
    write_json(release / "metrics.json", metrics)
    shutil.copy(source / "config.json", release)

    arguments = ["--data", str(tmp_path / "data.npz"), "--out", str(release), "--runs", str(runs)]
    monkeypatch.setattr(sys, "argv", ["ablation", *arguments])
    main()
    written = json.loads((release / "metrics.json").read_text())
    assert set(written) == {*metrics, "ablation"}
    card = (release / "MODEL_CARD.md").read_text()
    assert f"| mirroring alone | {100 * written['ablation']['accuracy']:.2f} | +0.00 |" in card
