import numpy as np
import pytest

from training.found import Found, iou, strongest

FOUND = Found(
    np.array([[10, 20, 30, 60], [50, 0, 60, 10]], np.float32),
    np.array([[[12, 30], [28, 30], [20, 40], [14, 50], [26, 50]]] * 2, np.float32),
    np.array([0.9, 0.6], np.float32),
)


def test_scaling_moves_boxes_and_points() -> None:
    scaled = FOUND.scaled(2, 0.5)
    np.testing.assert_array_equal(scaled.boxes[0], [20, 10, 60, 30])
    np.testing.assert_array_equal(scaled.landmarks[0, 0], [24, 15])
    np.testing.assert_array_equal(FOUND.sides, [40, 10])


def test_in_the_mirror_right_and_left_change_places() -> None:
    mirrored = FOUND.mirrored(100)
    np.testing.assert_array_equal(mirrored.boxes[0], [70, 20, 90, 60])
    # The right eye is what was the left one, and lies to the left of it again.
    np.testing.assert_array_equal(mirrored.landmarks[0, 0], [72, 30])
    np.testing.assert_array_equal(mirrored.landmarks[0, 3], [74, 50])
    for expected, found in zip(FOUND, mirrored.mirrored(100), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_overlap_is_of_each_with_each() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    expected = np.array([[1, 1 / 3], [1 / 3, 1], [0, 0]])
    np.testing.assert_allclose(iou(boxes, boxes[:2]), expected)
    assert iou(boxes, Found.none().boxes).shape == (3, 0)


def test_of_overlapping_boxes_the_best_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], np.float32)
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    found = strongest(Found(boxes, np.zeros((3, 5, 2), np.float32), scores), 0.5)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
