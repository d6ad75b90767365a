from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.centerface import find
from training.found import Found
from training.framing import FramingError, measure_framing

ROOT = Path(__file__).parents[2]
GRAPH = ROOT / "models" / "face-detector-1.1.0" / "model.onnx"


def test_a_real_face_is_framed_as_it_was_cut() -> None:
    """Cut out as FER-2013 cuts, seen by the released graph: its box lies where it was cut."""
    photo = Image.open(ROOT / "tests" / "data" / "astronaut.jpg").convert("L")
    # The box found in the photo itself is 184, 63 to 268, 174.
    face = np.asarray(photo.resize((48, 48), Image.Resampling.BILINEAR, box=(165, 55, 285, 175)))
    look = partial(find, GRAPH.read_bytes(), side=320, threshold=0.5)
    framing = measure_framing(look, np.stack([face] * 9))
    assert framing["scenes"] == 9
    assert framing["found"] >= 7
    assert framing["center"] == pytest.approx([0.51, 0.53], abs=0.05)
    assert framing["size"] == pytest.approx([0.7, 0.93], abs=0.08)
    low, high = framing["quartiles"]["size"]
    assert low <= framing["size"] <= high


def test_without_any_face_there_is_no_framing() -> None:
    faces = np.zeros((2, 48, 48), np.uint8)
    with pytest.raises(FramingError, match="expected a face in some of 2 scenes, found none"):
        measure_framing(lambda _: Found.none(), faces)
