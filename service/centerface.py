"""CenterFace's outputs, decoded.

CenterFace (Xu et al. 2019, "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv 1911.03599) answers four maps with a cell for every `stride` pixels. Where a face is centred
on a cell, the heat map peaks there, and the other maps hold, at that cell: where in the cell the
center lies, the logarithm of the box's size in cells, and five landmarks in units of the box.
"""

import numpy as np

from service.candidates import Candidates, Floats
from service.session import DetectionConfig

OUTPUTS = ["heatmap", "scale", "offset", "landmarks"]


def decode(outputs: list[Floats], size: tuple[int, int], detection: DetectionConfig) -> Candidates:
    """The peaks of the heat map that are not too faint, in pixels of the canvas.

    The maps of `scale` and `offset` hold y before x, and so do the ten of `landmarks`.
    """
    (stride,) = detection.strides
    heatmap, scale, offset, landmarks = (output[0] for output in outputs)
    rows, columns = np.nonzero(heatmap[0] >= detection.faintest)
    scores = heatmap[0, rows, columns]
    around = np.pad(heatmap[0], 1)
    step = np.arange(3)
    # The 3 x 3 cells around each: (K, 3, 3).
    cells = around[rows[:, None, None] + step[:, None], columns[:, None, None] + step]
    peak = scores == cells.max(axis=(1, 2))
    rows, columns, scores = rows[peak], columns[peak], scores[peak]

    cell = np.stack([columns, rows], axis=1).astype(np.float32)
    center = (cell + offset[::-1, rows, columns].T + 0.5) * stride
    extent = np.exp(scale[::-1, rows, columns].T) * stride
    corner = center - extent / 2
    points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    return Candidates(
        boxes=np.concatenate([corner, corner + extent], axis=1),
        landmarks=points * extent[:, None] + corner[:, None],
        scores=scores,
    )
