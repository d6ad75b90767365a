"""Training through its public door: a run learns, stops, and goes on as if it had not stopped."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.conftest import SMALL
from training.batches import Batches
from training.config import TrainConfig
from training.dataset import Dataset, DatasetError, Split
from training.metrics import softmax
from training.run import read_config
from training.train import (
    build_trainable,
    load_network,
    solve,
    targets,
    train,
    votes_loss,
)


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


def test_votes_are_missed_where_they_are_to_be_learnt(dataset: Dataset, tmp_path: Path) -> None:
    without = replace(dataset, votes=np.zeros_like(dataset.votes))
    with pytest.raises(DatasetError, match=r"expected the votes of FER\+"):
        train(SMALL, without, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_leaking_images_are_not_trained_on(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking = dataset.splits == Split.TRAINING
    leaking[leaking.nonzero()[0][3:]] = False
    shown: list[int] = []

    class Watched(Batches):
        def __init__(self, images: Any, *others: Any) -> None:
            shown.append(len(images))
            super().__init__(images, *others)

    monkeypatch.setattr("training.train.Batches", Watched)
    train(replace(SMALL, epochs=1), replace(dataset, leaking=leaking), tmp_path)
    assert shown == [len(dataset.split(Split.TRAINING)) - 3]


def test_nothing_is_learnt_of_an_image_without_votes() -> None:
    shares = np.array([[0, 0, 0], [0.5, 0.5, 0]], np.float32)
    before = np.tile(np.arange(3, dtype=np.float32), (2, 1))
    table = keras.layers.Dense(3, use_bias=False)  # a row of logits for each image
    model = keras.Sequential([keras.Input((2,)), table])
    table.set_weights([before])

    model.compile(keras.optimizers.SGD(1.0), loss=votes_loss)
    model.fit(np.eye(2, dtype=np.float32), shares, batch_size=2, verbose=0)
    (after,) = table.get_weights()
    wanted = (shares[1] - softmax(before)[1]) / 2  # of the mean of two
    np.testing.assert_allclose(after - before, [[0, 0, 0], wanted], atol=1e-6)


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
