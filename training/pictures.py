"""Pictures of faces of the data set: for people who have it, never to be published."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLUMNS = 12


def draw_faces(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    path: Path,
    columns: int = COLUMNS,
    heat: NDArray[np.float32] | None = None,
) -> None:
    """A contact sheet: uint8 [N, 48, 48] with a caption each; no images give one empty line.

    `heat` [N, h, w], 0 or more, is laid over the faces, each scaled to its own largest value.
    """
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(columns, rows * 1.35), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for number, (axes, image, caption) in enumerate(zip(grid.flat, images, captions, strict=False)):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(0, 48, 48, 0))
        axes.set_title(caption, fontsize=7)
        if heat is not None:
            axes.imshow(
                heat[number],
                cmap="inferno",
                vmin=0,
                alpha=0.5,
                extent=(0, 48, 48, 0),
                interpolation="bilinear",
            )
    figure.savefig(path, dpi=100)
