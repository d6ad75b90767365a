"""What CenterFace sees in a photo when it takes its time: labels for a smaller detector.

It looks at two sizes, at the photo and its mirror image. What it sees several times is merged by
score (weighted boxes fusion: Solovyev et al. 2019, arXiv 1910.13302), landmarks as boxes. A face is
as sure as the mean of the two mirrored looks at the size that shows it best: a small one shows at
the finer size only, and what one look alone takes for a face is none for sure.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.found import Floats, Found, iou, strongest

SIDES = (640, 960)  # pixels of the photo's longest side
FAINTEST = 0.15  # of a look's findings; CenterFace's own threshold is .5
SAME = 0.5  # least intersection over union
DISTINCT = 0.4  # most that two faces have; a large one gives several peaks close by

SURE, UNSURE = 0.5, 0.2  # least score of a face, and of what may be one

GRAPH = Path(__file__).parent.parent / "models" / "face-detector-1.1.0" / "model.onnx"

Look = Callable[[NDArray[np.uint8], int, float], Found]


def centerface() -> Look:
    """Looks at photos with the released graph, in float32."""
    # Who has labels already needs no ONNX: a machine with a GPU may have none.
    from training.centerface import find

    return partial(find, GRAPH.read_bytes())


def label(photo: NDArray[np.uint8], look: Look) -> Found:
    """The faces of an RGB photo (height, width, 3), all that are at least `UNSURE`, best first.

    `look` gets a photo, the longest side to show it at and the least score that counts.
    """
    _, width, _ = photo.shape
    looks = []
    for side, mirror in product(SIDES, (False, True)):
        found = look(photo[:, ::-1] if mirror else photo, side, FAINTEST)
        looks.append(found.mirrored(width) if mirror else found)
    fused = strongest(fuse(looks), DISTINCT)
    return fused.take(fused.scores >= UNSURE)


def fuse(looks: list[Found]) -> Found:
    """Several looks at one photo as one, best first; two in a row are those at the same size."""
    boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    origin = np.repeat(np.arange(len(looks)), [len(look.scores) for look in looks])
    order = np.argsort(-scores, kind="stable")
    clusters: list[list[int]] = []
    middles = np.zeros((0, 4), np.float32)
    for index in order:
        overlaps = iou(middles, boxes[index, None])[:, 0]
        # A look that has a part in a cluster already means another face.
        for number, cluster in enumerate(clusters):
            if origin[index] in origin[cluster]:
                overlaps[number] = 0
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] >= SAME:
            clusters[best].append(int(index))
            middles[best] = np.average(boxes[clusters[best]], 0, scores[clusters[best]])
        else:
            clusters.append([int(index)])
            middles = np.concatenate([middles, boxes[index, None]])
    if not clusters:
        return Found.none()
    points = [np.average(landmarks[cluster], 0, scores[cluster]) for cluster in clusters]
    sureness = [_sureness(scores[cluster], origin[cluster], len(looks)) for cluster in clusters]
    fused = Found(middles, np.array(points, np.float32), np.array(sureness, np.float32))
    return fused.take(np.argsort(-fused.scores, kind="stable"))


def _sureness(scores: Floats, origin: NDArray[np.int64], looks: int) -> float:
    """The mean score of a size's two looks, 0 where one missed the face, at its best size."""
    by_look = np.zeros(looks)
    by_look[origin] = scores
    return float(by_look.reshape(-1, 2).mean(axis=1).max())
