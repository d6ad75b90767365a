import numpy as np
import pytest

from service.candidates import Candidates, iou, strongest


def candidates(*scores: float) -> Candidates:
    count = len(scores)
    boxes = np.arange(count, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 8, 8], np.float32)
    return Candidates(boxes, np.zeros((count, 5, 2), np.float32), np.array(scores, np.float32))


def test_the_foremost_are_the_surest() -> None:
    found = candidates(0.1, 0.9, 0.3, 0.7)
    assert sorted(found.foremost(2).scores.tolist()) == pytest.approx([0.7, 0.9])
    assert sorted(found.foremost(2).boxes[:, 0].tolist()) == [10, 30]
    assert found.foremost(4) is found


def test_joined_ones_stay_in_their_order() -> None:
    both = candidates(0.1, 0.9).joined(candidates(0.5))
    assert both.scores.tolist() == pytest.approx([0.1, 0.9, 0.5])
    assert both.boxes[:, 0].tolist() == [0, 10, 0]


def test_overlap_is_what_is_shared_of_what_is_covered() -> None:
    box = np.array([0, 0, 4, 2], np.float32)
    others = np.array([[0, 0, 4, 2], [2, 0, 6, 2], [4, 0, 8, 2], [1, 0, 3, 1]], np.float32)
    np.testing.assert_allclose(iou(box, others), [1, 4 / 12, 0, 2 / 8])


def test_of_those_that_overlap_the_surest_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    scores = np.array([0.5, 0.8, 0.6], np.float32)
    assert strongest(boxes, scores, 0.4).tolist() == [1, 2]
