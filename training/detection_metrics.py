"""How well a detector finds the faces that the teacher is sure of, on photos held back.

A finding counts as false if it overlaps nothing that the teacher saw, not even what it was unsure
of, or a face that was found already. The threshold is the lowest at which `FALSE_A_PHOTO` are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.found import Find, Floats, Found, iou
from training.photo_labels import LabelledPhoto
from training.photos import Pixels

SIDE = 320  # pixels of the longest side at which detectors look
SMALLEST = 16.0  # pixels of the longer side of a box, at that size
SAME = 0.5  # least intersection over union
FALSE_A_PHOTO = 0.05
FALSE_ALONE = 0.03  # of the photos that have no surer face
TURNS = 3  # orientations beside that in which a photo stands
BINS = (16, 24, 32, 64, 320)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Of every face that had to be found the score of its finding, 0 if there is none, the mean
    error of its landmarks in sides of a square as large as its box, and the box's longer side in
    pixels of a photo of `SIDE`; and all false findings' scores. Of every photo the surest finding's
    score, 0 if there is none, and whether that is false.
    """

    scores: Floats
    errors: Floats
    sides: Floats
    false: Floats
    surest: Floats
    surest_false: NDArray[np.bool_]


def judge(find: Find, photos: Iterable[tuple[Pixels, LabelledPhoto]]) -> tuple[Judgement, int]:
    """What `find` finds in the photos, in their pixels, and how many photos they are."""
    judged = [
        _match(find(pixels), labelled)
        for pixels, labelled in tqdm(photos, desc="judging", leave=False, disable=None)
    ]
    together = (np.concatenate(parts) for parts in zip(*judged, strict=True))
    return Judgement(*together), len(judged)


def turned(
    photos: Iterable[tuple[Pixels, LabelledPhoto]],
) -> Iterator[tuple[Pixels, LabelledPhoto]]:
    """Each photo, with its labels, in the three orientations that it does not stand in."""
    for pixels, labelled in photos:
        for _ in range(TURNS):
            faces = labelled.faces.turned(labelled.width)
            pixels = np.rot90(pixels)
            height, width, _ = pixels.shape
            labelled = replace(labelled, height=height, width=width, faces=faces)
            yield pixels, labelled


def _match(
    found: Found, labelled: LabelledPhoto
) -> tuple[Floats, Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    scale = SIDE / max(labelled.height, labelled.width)
    truth = labelled.faces
    overlaps = iou(found.boxes, truth.boxes)
    scores, errors = np.zeros((2, len(truth.scores)), np.float32)
    false = []
    for number in np.argsort(-found.scores, kind="stable"):
        free = np.where(labelled.sure & (scores == 0), overlaps[number], 0)
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= SAME:
            scores[best] = found.scores[number]
            apart = np.linalg.norm(found.landmarks[number] - truth.landmarks[best], axis=1)
            errors[best] = apart.mean() / _side(truth.boxes[best])
        elif not (_shared(found.boxes[number], truth.boxes[~labelled.sure]) >= SAME).any():
            false.append(found.scores[number])
    wanted = labelled.sure & (truth.sides * scale >= SMALLEST)
    surest = found.scores.max(initial=0)
    return (
        scores[wanted],
        errors[wanted],
        truth.sides[wanted] * scale,
        np.array(false, np.float32),
        np.array([surest], np.float32),
        np.array([bool(false) and false[0] == surest], np.bool_),
    )


def _side(box: Floats) -> float:
    return float(np.sqrt((box[2:] - box[:2]).prod()))


def _shared(box: Floats, others: Floats) -> Floats:
    """The shares of the smaller box that `box` (4,) has in common with each of the others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    areas = [(of[..., 2:] - of[..., :2]).prod(axis=-1) for of in (box, others)]
    shares: Floats = (high - low).clip(0).prod(axis=1) / np.minimum(*areas)
    return shares


def threshold(judged: Judgement, photos: int, false_a_photo: float = FALSE_A_PHOTO) -> float:
    """The lowest score from which on at most so many findings a photo are false."""
    return _above(judged.false, int(false_a_photo * photos))


def lone_threshold(judged: Judgement, sure: float) -> float:
    """The same for the surest finding of a photo in which none reaches `sure`."""
    unsure = judged.surest < sure
    return _above(judged.surest[unsure & judged.surest_false], int(FALSE_ALONE * unsure.sum()))


def turned_threshold(judged: Judgement, looks: int) -> float:
    """The same for the surest finding of a photo that is turned, judged on `turned` photos.

    All three looks together see no more false faces than one at the photo as it stands.
    """
    return threshold(judged, looks, FALSE_A_PHOTO / TURNS)


def _above(false: Floats, allowed: int) -> float:
    """The least score that so many of the false ones have at most."""
    falsest = np.sort(false)[::-1]
    least = float(falsest[allowed]) if len(falsest) > allowed else 0.0
    return float(np.nextafter(np.float32(least), np.float32(1)))


def figures(judged: Judgement, photos: int) -> dict[str, Any]:
    """Recall at `FALSE_A_PHOTO`, in all and by size, and the error of the landmarks."""
    least = threshold(judged, photos)
    hit = judged.scores >= least
    return {
        "photos": photos,
        "faces": len(hit),
        "threshold": round(least, 4),
        "lone_threshold": round(lone_threshold(judged, least), 4),
        "recall": _share(hit),
        "recall_by_side": {
            f"{low}-{high}": _share(hit[(low <= judged.sides) & (judged.sides < high)])
            for low, high in pairwise(BINS)
        },
        "landmark_error": round(float(judged.errors[hit].mean()), 4) if hit.any() else None,
    }


def _share(hit: NDArray[np.bool_]) -> float | None:
    return round(float(hit.mean()), 4) if len(hit) else None
