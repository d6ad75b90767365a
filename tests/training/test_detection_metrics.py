import numpy as np
import pytest
from numpy.typing import NDArray

from training.detection_metrics import (
    figures,
    judge,
    lone_threshold,
    threshold,
    turned,
    turned_threshold,
)
from training.found import Found
from training.photo_labels import LabelledPhoto

PIXELS = np.zeros((320, 320, 3), np.uint8)
POINTS = np.array([[4, 6], [16, 6], [10, 11], [5, 16], [15, 16]], np.float32)


def found(*faces: tuple[float, float, float, float]) -> Found:
    """x, y, side and score of each."""
    x, y, side, scores = np.array(faces, np.float32).reshape(-1, 4).T
    boxes = np.stack([x, y, x + side, y + side], axis=1)
    landmarks = boxes[:, None, :2] + (POINTS / 20) * side[:, None, None]
    return Found(boxes, landmarks.astype(np.float32), scores)


def labelled(faces: Found, *sure: bool) -> LabelledPhoto:
    return LabelledPhoto("p.jpg", 320, 320, faces, np.array(sure, np.bool_))


TRUTH = labelled(found((20, 20, 20, 1), (100, 100, 40, 1), (200, 200, 10, 1)), True, True, True)


def measured(
    *faces: tuple[float, float, float, float], truth: LabelledPhoto = TRUTH
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    judged, photos = judge(lambda _: found(*faces), [(PIXELS, truth)])
    assert photos == 1
    return judged.scores, judged.false


def test_faces_of_16_px_and_more_have_to_be_found() -> None:
    scores, false = measured((20, 20, 20, 0.9), (200, 200, 10, 0.8))
    assert scores.tolist() == pytest.approx([0.9, 0])
    assert len(false) == 0


def test_what_overlaps_nothing_is_false_and_so_is_a_second_box() -> None:
    scores, false = measured((20, 20, 20, 0.9), (21, 20, 20, 0.7), (250, 20, 20, 0.6))
    assert scores.tolist() == pytest.approx([0.9, 0])
    assert false.tolist() == pytest.approx([0.7, 0.6])


def test_what_the_teacher_was_unsure_of_is_neither() -> None:
    truth = labelled(found((20, 20, 20, 0.3)), False)
    scores, false = measured((20, 20, 20, 0.9), (23, 23, 12, 0.8), truth=truth)
    assert len(scores) == len(false) == 0


def test_the_threshold_leaves_few_false_ones() -> None:
    photos = [(PIXELS, TRUTH)] * 40
    answers = iter([found((20, 20, 20, 0.5), (250, 20, 20, 0.01 * number)) for number in range(40)])
    judged, count = judge(lambda _: next(answers), photos)
    least = threshold(judged, count)
    assert (judged.false >= least).sum() == 2  # .05 a photo
    told = figures(judged, count)
    assert told["recall"] == 0.5
    assert told["recall_by_side"] == {"16-24": 1.0, "24-32": None, "32-64": 0.0, "64-320": None}
    assert told["lone_threshold"] <= told["threshold"]


def test_alone_a_false_one_may_be_in_three_of_a_hundred_photos_without_a_surer_face() -> None:
    """What is false beside a surer face does not count, nor does what is right."""
    sure = [found((20, 20, 20, 0.9), (250, 20, 20, 0.45))] * 30
    unsure = [found((250, 20, 20, 0.01 * number)) for number in range(50)]
    right = [found((20, 20, 20, 0.4), (250, 20, 20, 0.35))] * 10
    answers = iter([*sure, *unsure, *right])
    judged, _ = judge(lambda _: next(answers), [(PIXELS, TRUTH)] * 90)
    least = lone_threshold(judged, 0.5)
    assert [0.01 * number >= least for number in range(47, 50)] == [False, False, True]


def test_a_photo_is_turned_with_its_labels() -> None:
    """Each box stays around what it was around, and its points stay where they were in it."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (30, 40, 3), np.uint8)
    upright = LabelledPhoto("p.jpg", 30, 40, found((4, 6, 20, 1)), np.ones(1, np.bool_))
    around = pixels[6:26, 4:24]
    looks = list(turned([(pixels, upright)]))
    assert [(each.height, each.width) for _, each in looks] == [(40, 30), (30, 40), (40, 30)]
    for turns, (shown, of) in enumerate(looks, 1):
        assert shown.shape == (of.height, of.width, 3)
        left, top, right, bottom = of.faces.boxes[0].astype(int)
        np.testing.assert_array_equal(shown[top:bottom, left:right], np.rot90(around, turns))
        x, y = of.faces.landmarks[0, 0] - of.faces.boxes[0, :2]
        expected = {1: (6, 16), 2: (16, 14), 3: (14, 4)}[turns]  # of (4, 6) in 20
        assert (x, y) == pytest.approx(expected)


def test_three_looks_at_turned_photos_see_no_more_false_faces_than_one() -> None:
    answers = iter([found((250, 20, 20, 0.01 * number)) for number in range(60)])
    judged, looks = judge(lambda _: next(answers), turned([(PIXELS, TRUTH)] * 20))
    assert looks == 60
    least = turned_threshold(judged, looks)
    assert (judged.false >= least).sum() == 1  # .05 a photo


def test_landmarks_are_measured_in_sides_of_the_box() -> None:
    seen = found((20, 20, 20, 0.9))
    off = seen._replace(landmarks=seen.landmarks + np.array([0.6, 0.8], np.float32))
    judged, count = judge(lambda _: off, [(PIXELS, TRUTH)])
    assert figures(judged, count)["landmark_error"] == pytest.approx(1 / 20, abs=1e-4)
