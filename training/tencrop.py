"""Ten-crop evaluation: four corners and the middle, each also mirrored, the mean of the logits."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.evaluate import run_model
from training.metrics import Floats
from training.systems.vggnet import MARGIN

# What the graph cuts out of the middle is a corner of the face, when the face is moved like this.
# The rows and columns that a move wraps around lie in the margin, which the graph leaves out.
MOVES = ((0, 0), (-MARGIN, -MARGIN), (-MARGIN, MARGIN), (MARGIN, -MARGIN), (MARGIN, MARGIN))


def ten_crop_logits(path: Path, images: NDArray[np.uint8]) -> Floats:
    """uint8 [N, 48, 48] -> [N, 7], of an ONNX file that itself cuts MARGIN off each side."""
    views = [
        np.roll(view, move, axis=(1, 2)) for view in (images, images[:, :, ::-1]) for move in MOVES
    ]
    logits: Floats = np.mean([run_model(path, view)["logits"] for view in views], axis=0)
    return logits
