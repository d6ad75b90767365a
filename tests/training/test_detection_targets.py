import numpy as np
import pytest
from numpy.typing import NDArray

from training.cells import grid
from training.detection_targets import COLUMNS, targets
from training.found import Floats, Found

SIZE = (128, 160)
MIDDLES, STRIDES = grid(*SIZE)


def face(*boxes: tuple[float, float, float]) -> Found:
    """Square boxes: x and y of the middle, side."""
    x, y, side = np.array(boxes, np.float32).T
    corners = np.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], axis=1)
    return Found(corners, np.zeros((len(x), 5, 2), np.float32), np.ones(len(x), np.float32))


def of(found: Found, sure: bool = True) -> Floats:
    return targets(found, np.full(len(found.scores), sure), SIZE)


def middles_of_faces(wanted: Floats) -> NDArray[np.float32]:
    """Stride and middle of the cells that hold a face's middle."""
    which = wanted[:, 0] == 1
    return np.concatenate([STRIDES[which, None], MIDDLES[which]], axis=1)


@pytest.mark.parametrize(
    ("side", "strides"), [(12, [8]), (40, [8, 16]), (60, [16]), (120, [16]), (8, [])]
)
def test_small_faces_are_fine_and_large_ones_coarse(side: float, strides: list[int]) -> None:
    wanted = of(face((70, 50, side)))
    assert middles_of_faces(wanted)[:, 0].tolist() == strides


def test_the_cell_is_that_of_the_middle_and_weights_sum_to_one() -> None:
    wanted = of(face((70, 50, 20)))
    assert middles_of_faces(wanted).tolist() == [[8, 68, 52]]
    assert wanted[:, 2].sum() == pytest.approx(1)
    cell = wanted[wanted[:, 0] == 1][0]
    np.testing.assert_allclose(cell[3:7], [2 / 8, -2 / 8, 20 / 8, 20 / 8], rtol=1e-6)


def test_heat_falls_with_the_distance_and_counts_everywhere() -> None:
    wanted = of(face((72, 72, 100)))
    coarse = STRIDES == 16
    away = np.linalg.norm(MIDDLES[coarse] - 72, axis=1)
    heat = wanted[coarse, 0]
    assert heat[away.argmin()] == 1
    assert 0.1 < heat[(away > 15) & (away < 17)].min() < 0.9
    assert heat[away > 60].max() < 0.01
    assert wanted[coarse, 1].all()


def test_what_may_be_a_face_is_left_alone() -> None:
    wanted = of(face((70, 50, 40)), sure=False)
    left = wanted[:, 1] == 0
    assert (wanted[:, 0] == 0).all()
    for stride in (8, 16):
        near = np.abs(MIDDLES - (70, 50)).max(axis=1) < 12
        assert left[near & (stride == STRIDES)].all()
    assert not left[np.abs(MIDDLES - (70, 50)).max(axis=1) > 25].any()


def test_a_face_beside_an_unsure_one_is_learnt() -> None:
    found = face((70, 50, 20), (74, 52, 40))
    wanted = targets(found, np.array([True, False]), SIZE)
    assert middles_of_faces(wanted).tolist() == [[8, 68, 52]]
    assert wanted[wanted[:, 0] == 1][0, 1] == 1


def test_where_two_faces_meet_the_smaller_is_told() -> None:
    wanted = of(face((70, 50, 14), (71, 51, 30)))
    cell = wanted[(MIDDLES == (68, 52)).all(axis=1) & (STRIDES == 8)][0]
    assert cell[5] == pytest.approx(14 / 8)


def test_a_picture_without_faces_has_none() -> None:
    wanted = of(Found.none())
    assert wanted.shape == (len(MIDDLES), COLUMNS)
    assert wanted[:, 1].all()
    assert not wanted[:, [0, 2]].any()
