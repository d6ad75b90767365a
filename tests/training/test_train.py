"""Training through its public door: a run learns, stops, and goes on as if it had not stopped."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.conftest import SMALL
from training import train as module
from training.config import TrainConfig
from training.dataset import Dataset, DatasetError, Split
from training.train import (
    OtherRunError,
    build_trainable,
    load_network,
    read_config,
    solve,
    targets,
    train,
)


def accuracy(network: keras.Model, dataset: Dataset) -> float:
    said = network.predict(dataset.images, verbose=0)["logits"].argmax(axis=1)
    return float((said == dataset.labels).mean())


def test_a_run_learns(run: Path, dataset: Dataset) -> None:
    history = json.loads((run / "log.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_folder_tells_the_whole_config(run: Path) -> None:
    assert read_config(run) == replace(SMALL, architecture={"widths": [8, 8, 16]})


def test_a_loaded_network_is_the_trained_one(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    trained = train(SMALL, dataset, tmp_path / "again")
    images = dataset.images[:20]
    expected = trained.predict(images, verbose=0)
    found = load_network(tmp_path / "again").predict(images, verbose=0)
    for head in ("logits", "ferplus"):
        np.testing.assert_allclose(found[head], expected[head], atol=1e-5)


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
    assert accuracy(resumed, dataset) > 1 / 7


def test_another_recipe_s_run_is_left_alone(run: Path, dataset: Dataset) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(OtherRunError, match="another learning_rate, weight_decay"):
        train(replace(SMALL, learning_rate=9.0, weight_decay=0.5), dataset, run)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_votes_are_missed_where_they_are_to_be_learnt(dataset: Dataset, tmp_path: Path) -> None:
    without = replace(dataset, votes=np.zeros_like(dataset.votes))
    with pytest.raises(DatasetError, match=r"expected the votes of FER\+"):
        train(SMALL, without, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_trains_no_more(run: Path, dataset: Dataset) -> None:
    before = (run / "log.json").read_bytes()
    train(SMALL, dataset, run)
    assert (run / "log.json").read_bytes() == before


def test_leaking_images_are_not_trained_on(dataset: Dataset) -> None:
    leaking = dataset.splits == Split.TRAINING
    leaking[leaking.nonzero()[0][3:]] = False
    marked = replace(dataset, leaking=leaking)
    assert len(marked.split(Split.TRAINING)) == len(dataset.split(Split.TRAINING)) - 3


def test_augmentation_rests_outside_training(dataset: Dataset) -> None:
    network = build_trainable(SMALL)
    first, second = (network.predict(dataset.images[:4], verbose=0)["logits"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_ferplus_targets_are_shares_of_the_votes(dataset: Dataset) -> None:
    votes = np.zeros((len(dataset), 10), np.uint8)
    votes[0, [0, 3]] = 6, 2
    votes[1, 9] = 10  # no face: nothing to learn from
    shares = targets(replace(dataset, votes=votes), SMALL)["ferplus"]
    assert shares[0].tolist() == [0.75, 0, 0, 0.25, 0, 0, 0, 0]
    assert shares[1].sum() == 0


def test_an_svm_leaves_a_run_like_any_other(dataset: Dataset, tmp_path: Path) -> None:
    config = TrainConfig("svm", 1000, 1, "liblinear", 1.0, weight_decay=0.01)
    solved = solve(config, dataset, tmp_path)
    assert read_config(tmp_path) == config
    (entry,) = json.loads((tmp_path / "log.json").read_text())
    assert entry["logits_accuracy"] > 0.9
    assert 1 <= entry["newton_steps"] < 1000
    expected = solved.predict(dataset.images[:9], verbose=0)["logits"]
    found = load_network(tmp_path).predict(dataset.images[:9], verbose=0)["logits"]
    np.testing.assert_array_equal(found, expected)


def test_seconds_go_with_the_device_that_they_were_spent_on(run: Path) -> None:
    for epoch in json.loads((run / "log.json").read_text()):
        backend, _, place = epoch["device"].partition(", ")
        assert backend == keras.backend.backend()
        assert place == "gpu" or place.endswith("cores")
