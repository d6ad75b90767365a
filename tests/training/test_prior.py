"""Rare classes get their due, and only as far as it costs no accuracy."""

from pathlib import Path

import numpy as np
import pytest

from training.dataset import Dataset
from training.metrics import Floats, balanced_accuracy
from training.prior import adjust, choose_strength, log_shares
from training.train import load_network

LABELS = np.array([0] * 90 + [1] * 10)


def biased_logits(seed: int = 0) -> Floats:
    """Two classes, one nine times as frequent, from a network that learnt their shares."""
    random = np.random.default_rng(seed)
    evidence = random.normal(0, 1, 100) + np.where(LABELS == 1, 2.0, -2.0)
    logits = np.stack([np.zeros(100), evidence], axis=1)
    learnt: Floats = (logits + 1.5 * log_shares(LABELS.astype(np.uint8), 2)).astype(np.float32)
    return learnt


def test_log_shares_are_those_of_the_labels() -> None:
    labels = np.array([0, 0, 0, 2, 1, 1], np.uint8)
    np.testing.assert_allclose(np.exp(log_shares(labels, 3)), [3 / 6, 2 / 6, 1 / 6])


def test_the_strength_chosen_finds_the_rare_class_and_loses_nothing() -> None:
    logits, logs = biased_logits(), log_shares(LABELS.astype(np.uint8), 2)
    chosen = choose_strength(logits, LABELS, logs)
    assert chosen["strength"] > 0
    assert chosen["accuracy"][1] >= chosen["accuracy"][0]
    assert chosen["balanced_accuracy"][1] > chosen["balanced_accuracy"][0]
    adjusted = (logits - chosen["strength"] * logs).argmax(axis=1)
    assert balanced_accuracy(adjusted, LABELS) == pytest.approx(chosen["balanced_accuracy"][1])


def test_what_is_right_already_stays() -> None:
    logits = np.eye(2, dtype=np.float32)[LABELS] * 50
    logs = log_shares(LABELS.astype(np.uint8), 2)
    assert choose_strength(logits, LABELS, logs)["strength"] == 0.0


def test_a_network_is_shifted_by_exactly_that(run: Path, dataset: Dataset) -> None:
    network = load_network(run)
    images = dataset.images[:9]
    before = network.predict(images, verbose=0)
    shift = np.linspace(-1, 1, 7, dtype=np.float32)
    adjust(network, shift)
    after = network.predict(images, verbose=0)
    np.testing.assert_allclose(after["logits"], before["logits"] - shift, atol=1e-5)
    np.testing.assert_array_equal(after["ferplus"], before["ferplus"])
