"""Our face detector's two looks at a photo, as the service takes them.

The first proposes what may be a face, in all of the photo at a small size; the second judges each
proposal at a size of its own, cut from the photo as it is, and what may be one it judges once more,
where it found it to be, unless it is sure and that is where it was proposed.
"""

from typing import NamedTuple

import numpy as np

from training import cells
from training.canvas import cut, show
from training.centerface import load_graph
from training.detection_metrics import SIDE
from training.found import Floats, Found, iou, join, ranked, strongest
from training.photos import Pixels
from training.systems.face_refiner import SIDE as CUT_SIDE

MULTIPLE_OF = 16
SURE_FROM = 0.6  # score of either look that leaves no doubt
LEAST, MOST = 4, 64  # proposals of a photo: however faint if none is sure, and however many
FOREMOST = 64  # cells that may become those
AGAIN_FROM = 0.1  # least score of what is judged once more; the best is, whatever it has
SETTLED = 0.8  # intersection over union with its proposal, from which what is sure is not
FAINTEST = 0.001  # least score that is looked at; a network that has learnt nothing gives .01


def propose(graph: bytes, photo: Pixels, side: int, threshold: float, foremost: int = 0) -> Found:
    """What may be faces in an RGB photo seen at that size, in its pixels, best first.

    At the threshold and above, but of at least the `foremost` cells.
    """
    shown = show(photo, side, MULTIPLE_OF)
    scores, numbers = load_graph(graph).run(cells.OUTPUTS, {"image": shown.pixels[None]})
    size = shown.pixels.shape[:2]
    found = cells.faces(scores[0], numbers[0], size, threshold, foremost)
    return found.scaled(*shown.factors)


def judge(graph: bytes, photo: Pixels, boxes: Floats) -> Found:
    """What the second look says of each box (K, 4), in their order."""
    if not len(boxes):
        return Found.none()
    cuts = [cut(photo, box, CUT_SIDE) for box in boxes]
    images = np.stack([each.pixels for each in cuts])
    scores, numbers = load_graph(graph).run(cells.OUTPUTS, {"image": images})
    corners = np.stack([each.corner for each in cuts])
    factors = np.array([[each.factor] for each in cuts], np.float32)
    middles, said = np.float32(CUT_SIDE / 2), numbers[:, 0]
    centers = middles + said[:, :2] * CUT_SIDE
    extents = np.exp(said[:, 2:4]) * CUT_SIDE
    points = middles + said[:, 4:].reshape(-1, 5, 2) * extents[:, None]
    low, high = (
        (edge * factors + corners).astype(np.float32)
        for edge in (centers - extents / 2, centers + extents / 2)
    )
    return Found(
        np.concatenate([low, high], axis=1),
        points * factors[:, None] + corners[:, None],
        scores[:, 0],
    )


class Cascade(NamedTuple):
    """Both graphs, and the least score of a proposal."""

    proposer: bytes
    refiner: bytes
    proposed_from: float

    def find(self, photo: Pixels) -> Found:
        """The faces of an RGB photo, best first."""
        proposed = propose(self.proposer, photo, SIDE, self.proposed_from, FOREMOST)
        count = int((proposed.scores >= self.proposed_from).sum())
        if proposed.scores.max(initial=0) < SURE_FROM:
            count = max(count, LEAST)
        boxes = proposed.boxes[: min(count, MOST)]
        judged = judge(self.refiner, photo, boxes)
        best = ranked(judged, cells.NMS_IOU)
        count = int((judged.scores[best] >= AGAIN_FROM).sum())
        best = best[: max(count, 1)]
        overlaps = iou(judged.boxes, boxes).diagonal()
        settled = (judged.scores[best] >= SURE_FROM) & (overlaps[best] >= SETTLED)
        again = judge(self.refiner, photo, judged.boxes[best[~settled]])
        found = join(judged.take(best[settled]), again)
        return strongest(found.take(found.scores >= FAINTEST), cells.NMS_IOU)
