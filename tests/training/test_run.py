"""A run's folder through its public door: it stops, goes on, and is taken for no other's."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import SMALL
from training import run as module
from training.config import TrainConfig
from training.dataset import Dataset
from training.run import OtherRunError, write_config
from training.train import solve, train


def test_a_stopped_run_goes_on_to_the_same_end(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    class KilledAfterOneEpoch(module.Checkpoint):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_end(epoch, logs)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "Checkpoint", KilledAfterOneEpoch)
        with pytest.raises(Killed):
            train(SMALL, dataset, tmp_path / "run")
    assert len(json.loads((tmp_path / "run" / "log.json").read_text())) == 1

    resumed = train(SMALL, dataset, tmp_path / "run")
    history = json.loads((tmp_path / "run" / "log.json").read_text())
    straight = json.loads((run / "log.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert history[1]["learning_rate"] == pytest.approx(straight[1]["learning_rate"])
    assert history[1]["loss"] == pytest.approx(straight[1]["loss"], rel=1e-3)
    said = resumed.predict(dataset.images, verbose=0)["logits"].argmax(axis=1)
    assert (said == dataset.labels).mean() > 1 / 7


def test_a_finished_run_trains_no_more(run: Path, dataset: Dataset) -> None:
    before = (run / "log.json").read_bytes()
    train(SMALL, dataset, run)
    assert (run / "log.json").read_bytes() == before


def test_another_recipe_s_run_is_left_alone(run: Path, dataset: Dataset) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(OtherRunError, match="another learning_rate, weight_decay"):
        train(replace(SMALL, learning_rate=9.0, weight_decay=0.5), dataset, run)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_a_run_on_other_data_is_left_alone(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    fewer = dataset.take(np.arange(100))
    with pytest.raises(OtherRunError, match="another data"):
        train(SMALL, fewer, run)

    svm = TrainConfig("svm", 1000, 1, "liblinear", 1.0, weight_decay=0.01)
    with pytest.raises(OtherRunError, match="another architecture, augmentation"):
        solve(svm, dataset, run)
    solve(svm, dataset, tmp_path)
    with pytest.raises(OtherRunError, match="another data"):
        solve(svm, fewer, tmp_path)


def test_of_an_older_run_nobody_says_what_it_learnt_from(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "config.json"
    written = json.loads(file.read_text())
    del written["data"]
    file.write_text(json.dumps(written))
    for data in (1, 2):
        write_config(SMALL, tmp_path, data)
    assert json.loads(file.read_text()) == written
