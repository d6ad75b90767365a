import numpy as np
import pytest
from numpy.typing import NDArray

from training.found import Found
from training.teacher import UNSURE, fuse, label

BOX = (20.0, 30.0, 60.0, 80.0)


def seen(*boxes: tuple[float, float, float, float], scores: tuple[float, ...]) -> Found:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    points = corners[:, None, :2] + np.arange(10, dtype=np.float32).reshape(5, 2)
    return Found(corners, points, np.array(scores, np.float32))


NOTHING = Found.none()


def test_several_looks_are_one_face_weighted_by_score() -> None:
    other = (24.0, 30.0, 64.0, 80.0)
    fused = fuse([seen(BOX, scores=(0.9,)), seen(other, scores=(0.3,)), NOTHING, NOTHING])
    np.testing.assert_allclose(fused.boxes, [[21, 30, 61, 80]], rtol=1e-6)
    np.testing.assert_allclose(fused.landmarks[0, 0], [21, 31], rtol=1e-6)
    assert fused.scores.tolist() == pytest.approx([0.6])


def test_a_face_is_as_sure_as_the_size_that_shows_it_best() -> None:
    faint, clear = seen(BOX, scores=(0.4,)), seen(BOX, scores=(0.8,))
    assert fuse([faint, NOTHING, clear, clear]).scores.tolist() == pytest.approx([0.8])
    assert fuse([clear, NOTHING, NOTHING, NOTHING]).scores.tolist() == pytest.approx([0.4])


def test_two_faces_of_one_look_stay_two() -> None:
    near = (25.0, 32.0, 65.0, 82.0)
    both = seen(BOX, near, scores=(0.9, 0.7))
    assert len(fuse([both, both, NOTHING, NOTHING]).scores) == 2


def test_nothing_seen_is_nothing() -> None:
    assert len(fuse([NOTHING] * 4).scores) == 0


def test_the_mirror_image_is_turned_back_and_faint_ones_are_left_out() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, :100] = 255
    sides = []

    def look(shown: NDArray[np.uint8], side: int, threshold: float) -> Found:
        sides.append(side)
        assert threshold < UNSURE
        upright = shown[0, 0, 0] == 255
        found = seen(BOX, (150.0, 10.0, 170.0, 30.0), scores=(0.9, UNSURE - 0.01))
        return found if upright else found.mirrored(200)

    labels = label(photo, look)
    assert sides == [640, 640, 960, 960]
    np.testing.assert_allclose(labels.boxes, [BOX], rtol=1e-6)
    assert labels.scores.tolist() == pytest.approx([0.9])


def test_a_face_that_every_look_sees_twice_has_one_label() -> None:
    """CenterFace's peaks come with overlaps and all, and large faces have several."""
    beside = (28.0, 30.0, 68.0, 80.0)

    def look(shown: NDArray[np.uint8], side: int, threshold: float) -> Found:
        found = seen(BOX, beside, (150.0, 10.0, 170.0, 30.0), scores=(0.9, 0.8, 0.7))
        return found if shown[0, 0, 0] == 255 else found.mirrored(200)

    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, :100] = 255
    labels = label(photo, look)
    assert labels.scores.tolist() == pytest.approx([0.9, 0.7])
    np.testing.assert_allclose(labels.boxes[0], BOX, rtol=1e-6)
