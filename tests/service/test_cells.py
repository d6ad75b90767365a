import numpy as np
import pytest
from numpy.typing import NDArray

from service.cells import OUTPUTS
from service.detector import FaceDetector
from service.faces import Face, Framing
from service.session import DetectionConfig, ModelConfig
from tests.service import graphs
from tests.service.fakes import FakeSession

DETECTION = DetectionConfig(
    stride=(8, 16),
    input_side=64,
    fine_side=10_000,
    small_face=0.25,
    coarse_side=32,
    score_threshold=0.5,
    lone_threshold=0.4,
    turned_threshold=0.7,
    nms_iou=0.4,
    framing=Framing(center=(0.5, 0.52), size=(0.8, 0.95)),
)
CELLS = 8 * 8 + 4 * 4  # of 64 x 64 pixels
POINTS = ((-0.3, -0.2), (0.3, -0.2), (0, 0.1), (-0.25, 0.3), (0.25, 0.3))


def config() -> ModelConfig:
    written = graphs.config(
        files={"model.onnx": "0" * 64}, labels=None, outputs=OUTPUTS, detection=DETECTION
    )
    written["input"].update(layout="NHWC", size=None, multiple_of=16, colour="rgb")
    return ModelConfig.model_validate(written)


def seen(*cells: tuple[int, float, tuple[float, float], tuple[float, float]]) -> list[Face]:
    """What is found where these cells say: score; middle, and width and height, in strides."""
    scores, numbers = np.zeros((1, CELLS), np.float32), np.zeros((1, CELLS, 14), np.float32)
    for cell, score, middle, size in cells:
        scores[0, cell] = score
        numbers[0, cell] = [*middle, *np.log(size), *np.array(POINTS).ravel()]

    def graph(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        first = max(batch.shape[1:3]) == DETECTION.input_side
        return [scores, numbers] if first else [scores[:, :0], numbers[:, :0]]

    detector = FaceDetector(FakeSession(config(), graph))
    return detector.detect(np.zeros((64, 64, 3), np.uint8), min_face_size=1)


def test_a_fine_cell_becomes_a_face() -> None:
    # Row 2, column 3 of cells of 8 px: its middle is at 28, 20.
    (face,) = seen((2 * 8 + 3, 0.9, (0.25, -0.5), (1.5, 2)))
    np.testing.assert_allclose(face.box, [24, 8, 36, 24], atol=1e-4)
    assert face.score == pytest.approx(0.9)
    assert face.box.dtype == face.landmarks.dtype == np.float32
    # From the cell's middle, not the box's.
    np.testing.assert_allclose(face.landmarks[0], [28 - 0.3 * 12, 20 - 0.2 * 16], atol=1e-4)
    np.testing.assert_allclose(face.landmarks[4], [28 + 0.25 * 12, 20 + 0.3 * 16], atol=1e-4)


def test_a_coarse_cell_becomes_a_face() -> None:
    # Row 1, column 2 of cells of 16 px: its middle is at 40, 24.
    (face,) = seen((64 + 1 * 4 + 2, 0.8, (0, 0.25), (2, 2)))
    np.testing.assert_allclose(face.box, [24, 12, 56, 44], atol=1e-4)


def test_a_face_that_both_kinds_of_cells_tell_is_one() -> None:
    fine, coarse = (2 * 8 + 3, 0.7, (0, 0), (4, 4)), (64 + 5, 0.9, (0.25, -0.25), (2, 2))
    (face,) = seen(fine, coarse)
    assert face.score == pytest.approx(0.9)


def test_beside_a_sure_face_only_the_threshold_counts() -> None:
    sure = (0, 0.9, (0, 0), (1, 1))
    assert len(seen(sure, (30, 0.5, (0, 0), (1, 1)))) == 2
    assert len(seen(sure, (30, 0.49, (0, 0), (1, 1)))) == 1
    assert len(seen((30, 0.45, (0, 0), (1, 1)))) == 1
    assert seen((30, 0.39, (0, 0), (1, 1))) == []
