"""The second look of a face detector that takes two: is it a face, and where exactly.

The first look proposes more than there is, as cheaply as it can. Each proposal is then cut out of
the image and judged at one size (cascades: Viola & Jones 2001; MTCNN: Zhang et al. 2016, arXiv
1604.02878). The graph answers what `service.cells` describes, of one cell as large as the cut.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.candidates import Candidates, Floats
from service.cells import OUTPUTS
from service.errors import ModelError
from service.session import ModelConfig, Runnable

# The cut is that much longer than the box: what surrounds a face helps to tell it.
CONTEXT = 2.0
_FARTHEST = 1e6  # pixels; beyond any image, and no float overflows


class FaceRefiner:
    """Judges what may be faces. Any number of threads may use it at once.

    Raises `ModelError` when the session's model is none that does.
    """

    def __init__(self, session: Runnable) -> None:
        config = session.config
        size = config.input.size
        if config.outputs != OUTPUTS or size is None or size[0] != size[1]:
            raise ModelError(
                f"{config.name} {config.version}: expected a graph that judges squares of one size "
                f"with the outputs {OUTPUTS}, found {config.outputs} of size {size}"
            )
        self._session = session
        self._side = size[0]

    @property
    def config(self) -> ModelConfig:
        """That of its graph."""
        return self._session.config

    def refine(self, image: NDArray[np.uint8], proposed: Candidates) -> Candidates:
        """The same candidates of an image (height, width, 3), better placed and surer scored."""
        if not len(proposed.scores):
            return proposed
        squares = _squares(proposed.boxes)
        cuts = np.stack([_cut(image, square, self._side) for square in squares])
        scores, numbers = self._session.run(cuts)
        said = numbers[:, 0]
        corners, sides = np.split(squares.astype(np.float32), 2, axis=1)
        middles: Floats = corners + sides * np.float32(0.5)
        centers = middles + said[:, :2] * sides
        extents = np.exp(said[:, 2:4]) * sides
        points: Floats = said[:, 4:].reshape(-1, 5, 2) * extents[:, None] + middles[:, None]
        boxes: Floats = np.concatenate([centers - extents / 2, centers + extents / 2], axis=1)
        return Candidates(boxes, points, scores[:, 0])


def _squares(boxes: Floats) -> NDArray[np.int64]:
    """The squares around boxes (K, 4) in whole pixels: left, top, and the side twice (K, 4)."""
    bounded = boxes.clip(-_FARTHEST, _FARTHEST)
    sides = np.maximum(2, np.rint((bounded[:, 2:] - bounded[:, :2]).max(axis=1) * CONTEXT))
    corners = np.rint((bounded[:, :2] + bounded[:, 2:]) / 2 - sides[:, None] / 2)
    return np.concatenate([corners, sides[:, None], sides[:, None]], axis=1).astype(np.int64)


def _cut(image: NDArray[np.uint8], square: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """What an image shows in a square, as (side, side, 3); black beyond the image.

    Only what lies in the image is resized: a graph may propose squares that are far larger.
    """
    height, width, _ = image.shape
    left, top, span, _ = (int(value) for value in square)
    x, right = (min(max(edge, 0), width) for edge in (left, left + span))
    y, bottom = (min(max(edge, 0), height) for edge in (top, top + span))
    first_column, last_column = (round((edge - left) * side / span) for edge in (x, right))
    first_row, last_row = (round((edge - top) * side / span) for edge in (y, bottom))
    cut = np.zeros((side, side, 3), np.uint8)
    size = (last_column - first_column, last_row - first_row)
    if min(size) > 0 and x < right and y < bottom:
        part = Image.fromarray(image[y:bottom, x:right])
        cut[first_row:last_row, first_column:last_column] = np.asarray(
            part.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
        )
    return cut
