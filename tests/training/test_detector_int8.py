from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from training.centerface_release import load_photo
from training.detector_int8 import CALIBRATION_PHOTOS, AgreementError, compare, read_photos

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


def test_photos_are_chosen_by_chance_and_shown_as_they_stand(tmp_path: Path) -> None:
    for number in range(CALIBRATION_PHOTOS + 2):
        turned = Image.Exif()
        turned[ExifTags.Base.Orientation] = 6
        photo = Image.new("RGB", (40, 30), (3 * number, 0, 0))
        photo.save(tmp_path / f"{number:03}.png", exif=turned)
    calibration, held_back = read_photos(tmp_path)
    grays = [int(photo[0, 0, 0]) for photo in (*calibration, *held_back)]
    assert (len(calibration), len(held_back)) == (CALIBRATION_PHOTOS, 2)
    assert {photo.shape for photo in calibration + held_back} == {(40, 30, 3)}
    assert sorted(grays) == list(range(0, 3 * (CALIBRATION_PHOTOS + 2), 3)) != grays
