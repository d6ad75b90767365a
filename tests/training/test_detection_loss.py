import keras
import numpy as np
import pytest
from keras import ops

from training.detection_loss import (
    DetectionLoss,
    box_loss,
    detection_loss,
    heat_loss,
    landmark_loss,
    soft_heat_loss,
)
from training.detection_targets import targets
from training.found import Floats, Found

FACE = Found(
    np.array([[20, 10, 44, 42]], np.float32),
    np.array([[[26, 20], [38, 20], [32, 28], [28, 34], [36, 34]]], np.float32),
    np.ones(1, np.float32),
)
WANTED = targets(FACE, np.ones(1, np.bool_), (64, 64))[None]


def right(wanted: Floats = WANTED) -> Floats:
    """Cells that say what they should."""
    size = np.maximum(wanted[..., 5:7], 1e-3)
    logits = np.where(wanted[..., :1] == 1, 12.0, -12.0)
    parts = [logits, wanted[..., 3:5], np.log(size), wanted[..., 7:] / np.tile(size, 5)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def value(loss: object) -> float:
    return float(ops.convert_to_numpy(loss))


def test_what_is_right_costs_nothing() -> None:
    assert value(detection_loss(WANTED, right())) == pytest.approx(0, abs=1e-3)


def test_a_box_costs_what_it_does_not_share() -> None:
    """Twice the width and height around the same middle share a quarter."""
    cells = right()
    cells[..., 3:5] += np.log(2)
    assert value(box_loss(WANTED, cells)) == pytest.approx(0.75, abs=1e-4)
    shifted = right()
    shifted[..., 1] += WANTED[..., 5]  # beside it
    assert 1 < value(box_loss(WANTED, shifted)) < 2


def test_landmarks_cost_their_distance_in_sides() -> None:
    cells = right()
    cells[..., 5::2] += 0.1 * 24 / 24  # a tenth of the width in x, nothing in y
    assert value(landmark_loss(WANTED, cells)) == pytest.approx(0.1 * 24 / 32 / 2, abs=1e-4)


def test_a_missed_face_costs_more_than_an_unsure_one_and_false_ones_too() -> None:
    missed, unsure, false = right(), right(), right()
    where = WANTED[..., 0] == 1
    missed[where, 0] = -4
    unsure[where, 0] = 1
    false[0, 0, 0] = 4
    losses = [value(heat_loss(WANTED, cells)) for cells in (right(), unsure, missed)]
    assert losses == sorted(losses)
    assert losses[2] > 3 > losses[1]
    assert value(heat_loss(WANTED, false)) > 3


def test_what_is_to_be_ignored_costs_nothing() -> None:
    wanted = targets(FACE, np.zeros(1, np.bool_), (64, 64))[None]
    cells = np.full((1, wanted.shape[1], 15), -12, np.float32)
    cells[..., 0] = np.where(wanted[..., 1] == 0, 12, -12)
    assert (wanted[..., 1] == 0).any()
    assert value(heat_loss(wanted, cells)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("heat", [0.0, 0.3, 0.5, 1.0])
def test_a_soft_heat_is_best_answered_by_that_score(heat: float) -> None:
    wanted = np.zeros((1, 1, 17), np.float32)
    wanted[..., :2] = heat, 1
    scores = np.linspace(0.001, 0.999, 999, dtype=np.float32)
    cells = np.zeros((1, 1, 15), np.float32)
    costs = []
    for score in scores:
        cells[..., 0] = np.log(score / (1 - score))
        costs.append(value(soft_heat_loss(wanted, cells)))
    best = int(np.argmin(costs))
    assert scores[best] == pytest.approx(heat, abs=0.002)
    assert costs[best] == pytest.approx(0, abs=1e-5)
    assert np.diff(costs[:best]).max(initial=-1) < 0 < np.diff(costs[best + 1 :]).min(initial=1)
    assert value(soft_heat_loss(wanted * 0, cells)) == 0  # to be ignored


def test_keras_gets_one_finite_number_whatever_the_cells_say() -> None:
    wild = np.random.default_rng(0).normal(0, 50, (1, WANTED.shape[1], 15)).astype(np.float32)
    nothing = targets(Found.none(), np.zeros(0, np.bool_), (64, 64))[None]
    for loss in (DetectionLoss(), DetectionLoss(soft_heat_loss)):
        tensors = keras.ops.convert_to_tensor(WANTED), keras.ops.convert_to_tensor(wild)
        assert np.isfinite(value(loss(*tensors)))
        assert np.isfinite(value(loss(nothing, wild)))
