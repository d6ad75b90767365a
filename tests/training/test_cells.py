import numpy as np
import pytest

from service import cells as served
from service.faces import Framing
from service.session import DetectionConfig, RefinementConfig
from training.cascade import FOREMOST
from training.cells import NMS_IOU, faces, grid
from training.detection_targets import targets
from training.found import Found, strongest
from training.systems.face_detector import STRIDES

SIZE = (64, 96)
REFINEMENT = RefinementConfig(
    proposed_from=0.3, sure_from=0.6, least=4, most=8, again_from=0.1, settled_iou=0.8
)


def test_cells_lie_row_by_row_the_fine_ones_first() -> None:
    middles, strides = grid(*SIZE)
    assert len(middles) == 8 * 12 + 4 * 6
    np.testing.assert_array_equal(
        middles[[0, 1, 12, 96, 97]], [[4, 4], [12, 4], [4, 12], [8, 8], [24, 8]]
    )
    np.testing.assert_array_equal(strides[[0, 95, 96]], [8, 8, 16])


def said(box: tuple[float, ...], side: float) -> tuple[Found, np.ndarray, np.ndarray]:
    """A face, and what cells say that say what they should."""
    corners = np.array([box], np.float32)
    points = corners[:, None, :2] + side * np.random.default_rng(0).uniform(0, 1, (1, 5, 2))
    found = Found(corners, points.astype(np.float32), np.ones(1, np.float32))
    wanted = targets(found, np.ones(1, np.bool_), SIZE)
    size = np.maximum(wanted[:, 5:7], 1)
    numbers = np.concatenate(
        [wanted[:, 3:5], np.log(size), wanted[:, 7:] / np.tile(size, 5)], axis=1
    )
    return found, wanted[:, 0], numbers


@pytest.mark.parametrize(
    "box", [(20, 10, 32, 24), (30, 5, 78, 60), (10, 10, 45, 50), (60, 40, 90, 75)]
)
def test_what_cells_should_say_is_the_face(box: tuple[float, ...]) -> None:
    face, scores, numbers = said(box, 12)
    found = faces(scores, numbers, SIZE, threshold=0.99)
    np.testing.assert_allclose(found.boxes, face.boxes, atol=1e-3)
    np.testing.assert_allclose(found.landmarks, face.landmarks, atol=1e-3)


@pytest.mark.parametrize(
    ("refinement", "threshold", "foremost"),
    [
        (None, 0.6, 0),
        (REFINEMENT, 0.3, FOREMOST),
        # fewer than those
        (REFINEMENT.model_copy(update={"proposed_from": 0.9}), 0.9, FOREMOST),
    ],
)
def test_the_service_reads_cells_alike(
    refinement: RefinementConfig | None, threshold: float, foremost: int
) -> None:
    random = np.random.default_rng(1)
    count = len(grid(*SIZE)[0])
    scores = random.uniform(0, 1, count).astype(np.float32)
    numbers = random.normal(0, 0.5, (count, 14)).astype(np.float32)
    detection = DetectionConfig(
        stride=STRIDES,
        input_side=96,
        fine_side=640,
        small_face=0.1,
        coarse_side=64,
        score_threshold=0.7,
        lone_threshold=0.6,
        turned_threshold=0.7,
        nms_iou=NMS_IOU,
        framing=Framing(center=(0.5, 0.5), size=(0.8, 0.9)),
        refinement=refinement,
    )
    read = served.decode([scores[None], numbers[None]], SIZE, detection)
    kept = strongest(Found(*read), NMS_IOU)
    assert len(read.scores) >= max(foremost, int((scores >= threshold).sum()))
    ours = faces(scores, numbers, SIZE, threshold, foremost)
    for one, other in zip(ours, kept, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)
