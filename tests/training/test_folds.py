"""Out-of-fold predictions: nobody predicts what it has seen, and a stopped command goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import SMALL
from training import folds as module
from training.config import TrainConfig
from training.dataset import Dataset, Split
from training.folds import assign, predict_out_of_fold
from training.run import OtherRunError


class Echo:
    """Stands in for a network: says the class that its training part tells it, with certainty."""

    def __init__(self, fold: int) -> None:
        self.fold = fold

    def predict(self, images: np.ndarray, **_: object) -> dict[str, np.ndarray]:
        return {"logits": np.tile(100 * np.eye(7, dtype=np.float32)[self.fold], (len(images), 1))}


def test_doubles_are_in_one_fold() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    fold = assign(np.concatenate([images, images]), 5)
    np.testing.assert_array_equal(fold[:20], fold[20:])
    assert set(fold) == {0, 1, 2, 3, 4}


def test_each_image_is_predicted_by_the_network_that_missed_it(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold_of, training = assign(dataset.images, 3), dataset.splits == Split.TRAINING

    def fake_train(config: TrainConfig, part: Dataset, folder: Path) -> Echo:
        fold = int(folder.name.split("-")[1])
        assert not np.isin(part.rows, dataset.rows[training & (fold_of == fold)]).any()
        return Echo(fold)

    monkeypatch.setattr(module, "train", fake_train)
    said = predict_out_of_fold(SMALL, dataset, 3, tmp_path)
    np.testing.assert_array_equal(said[training].argmax(axis=1), fold_of[training])
    np.testing.assert_allclose(said[~training][:, :3], 1 / 3, atol=1e-6)


def test_folds_of_another_recipe_are_not_taken(dataset: Dataset, tmp_path: Path) -> None:
    once = replace(SMALL, epochs=1)
    said = predict_out_of_fold(once, dataset, 2, tmp_path)
    logs = [path.read_bytes() for path in sorted(tmp_path.rglob("log.json"))]

    np.testing.assert_array_equal(predict_out_of_fold(once, dataset, 2, tmp_path), said)
    assert [path.read_bytes() for path in sorted(tmp_path.rglob("log.json"))] == logs
    with pytest.raises(OtherRunError, match="another learning_rate"):
        predict_out_of_fold(replace(once, learning_rate=0.01), dataset, 2, tmp_path)
