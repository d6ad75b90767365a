"""Agreement with the raters, where it is known what it has to be."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.conftest import make_dataset
from training.evaluate import score, vote_agreement
from training.labels import EXPRESSIONS, FERPLUS_COLUMNS
from training.metrics import Floats

TEMPERATURES = {"logits": 1.0, "ferplus": 1.0}


def certain(index: int, classes: int) -> Floats:
    return np.eye(classes, dtype=np.float32)[[index]] * 50


def votes(**given: int) -> NDArray[np.uint8]:
    counts = np.zeros((1, 10), np.uint8)
    for name, number in given.items():
        counts[0, FERPLUS_COLUMNS.index(name)] = number
    return counts


def test_the_heads_are_compared_in_their_own_orders() -> None:
    for expression, column in zip(
        EXPRESSIONS,
        ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
        strict=True,
    ):
        outputs = {
            "logits": certain(EXPRESSIONS.index(expression), 7),
            "ferplus": certain(FERPLUS_COLUMNS.index(column), 8),
        }
        figures = vote_agreement(outputs, votes(**{column: 10}), TEMPERATURES)
        for head in ("logits", "ferplus"):
            assert figures[head]["images"] == 1
            assert figures[head]["kl"] == pytest.approx(0, abs=1e-6)
            assert figures[head]["js"] == pytest.approx(0, abs=1e-6)


def test_images_without_votes_are_left_out() -> None:
    unknown, contempt, split = votes(unknown=7, NF=3), votes(contempt=10), votes(fear=5, sadness=5)
    outputs = {"logits": np.zeros((3, 7), np.float32), "ferplus": np.zeros((3, 8), np.float32)}
    figures = vote_agreement(outputs, np.concatenate([unknown, contempt, split]), TEMPERATURES)
    assert figures["ferplus"]["images"] == 2
    assert figures["logits"]["images"] == 1
    assert figures["logits"]["kl"] == pytest.approx(np.log(7 / 2))
    assert figures["ferplus"]["kl"] == pytest.approx((np.log(8) + np.log(4)) / 2)


def test_a_score_holds_its_reliability_curve() -> None:
    dataset = make_dataset()
    logits = np.random.default_rng(0).normal(0, 1, (len(dataset), 7)).astype(np.float32)
    figures = score(logits, dataset.labels, 1.0)
    curve = figures["reliability"]
    assert sum(curve["counts"]) == len(dataset)
    gaps = [
        count * abs(confidence - accuracy)
        for count, confidence, accuracy in zip(
            curve["counts"], curve["confidence"], curve["accuracy"], strict=True
        )
    ]
    assert sum(gaps) / len(dataset) == pytest.approx(figures["ece_15"])
