from pathlib import Path

import numpy as np
import pytest

from training.centerface_release import load_photo
from training.detector_int8 import AgreementError, compare

MODEL = Path(__file__).parents[2] / "models" / "face-detector-1.1.0"
FP32, INT8 = (MODEL / name for name in ("model.onnx", "model.int8.onnx"))


def test_the_released_graphs_see_the_same_face() -> None:
    figures = compare(FP32.read_bytes(), INT8.read_bytes(), [load_photo(320, 320)], 320, 0.5)
    assert figures["faces_fp32_is_sure_of"] == figures["faces_int8_is_sure_of"] == 1
    assert figures["of_these_int8_finds"] == figures["of_these_fp32_finds"] == 1


def test_photos_without_faces_prove_nothing() -> None:
    nothing = [np.zeros((64, 64, 3), np.uint8)]
    with pytest.raises(AgreementError, match="expected both to find"):
        compare(FP32.read_bytes(), INT8.read_bytes(), nothing, 320, 0.5)
