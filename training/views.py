"""Photos as a face detector may meet them: cut out, at any scale, turned, side by side.

Half the views show a whole photo at about the size at which the service looks. The others bring one
of its faces to a size between `FACES`, every doubling equally likely, or put four such views
together (mosaic: Bochkovskiy et al. 2020, arXiv 2004.10934), whose faces are smaller and whose
surroundings vary more.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.found import Found, join
from training.photo_labels import LabelledPhoto
from training.photos import Pixels

FACES = (10.0, 250.0)  # pixels, the longer side of a box
WHOLE = (0.7, 1.4)  # scale of a whole photo against the one that fits it into the view
LARGEST_SCALE = 3.0  # what is enlarged more shows nothing that is true
ASPECT = 0.1  # .1 stretches by 1/1.1 .. 1.1, width against height
TURNED_SHARE, TURN = 0.15, 25.0  # degrees to either side
VISIBLE = 0.6  # share of a face that has to be seen for it to be learnt


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture (height, width, 3), what is in it, and which of that is to be learnt."""

    pixels: Pixels
    found: Found
    sure: NDArray[np.bool_]


def single(
    pixels: Pixels, labelled: LabelledPhoto, size: tuple[int, int], random: np.random.Generator
) -> View:
    """One photo in a view of `size` (height, width)."""
    height, width = size
    fit = min(height / labelled.height, width / labelled.width)
    faces = np.flatnonzero(labelled.sure)
    stretch = math.exp(random.uniform(-1, 1) * math.log1p(ASPECT) / 2)
    if len(faces) and random.random() < 0.5:
        face = random.choice(faces)
        low, high = FACES[0], min(FACES[1], 0.98 * min(size))
        side = math.exp(random.uniform(math.log(low), math.log(high)))
        scale = min(side / float(labelled.faces.sides[face]), LARGEST_SCALE)
        middle = labelled.faces.boxes[face].reshape(2, 2).mean(axis=0)
        corner = random.uniform(0.15, 0.85, 2) * (width, height) - middle * scale
    else:
        scale = fit * math.exp(random.uniform(*np.log(WHOLE)))
        corner = random.uniform(0, 1, 2) * (
            width - labelled.width * scale,
            height - labelled.height * scale,
        )
    view = _place(pixels, labelled, size, (scale * stretch, scale / stretch), corner, random)
    if random.random() < TURNED_SHARE:
        view = turn(view, random.uniform(-TURN, TURN))
    if random.random() < 0.5:
        view = View(view.pixels[:, ::-1], view.found.mirrored(width), view.sure)
    return _cut(view)


def mosaic(views: list[View], size: tuple[int, int], split: tuple[int, int]) -> View:
    """Four views, whose sizes fit around `split` (row, column), as one: in the order of reading."""
    row, column = split
    pixels = np.zeros((*size, 3), np.uint8)
    found, sure = [], []
    corners = ((0, 0), (0, column), (row, 0), (row, column))
    for view, (top, left) in zip(views, corners, strict=True):
        height, width, _ = view.pixels.shape
        pixels[top : top + height, left : left + width] = view.pixels
        shift = np.array([left, top], np.float32)
        boxes = view.found.boxes + np.tile(shift, 2)
        found.append(Found(boxes, view.found.landmarks + shift, view.found.scores))
        sure.append(view.sure)
    return View(pixels, join(*found), np.concatenate(sure))


def _place(
    pixels: Pixels,
    labelled: LabelledPhoto,
    size: tuple[int, int],
    scale: tuple[float, float],
    corner: NDArray[np.float64],
    random: np.random.Generator,
) -> View:
    """The photo at that scale with its corner at x, y, moved where it would leave room unused."""
    height, width = size
    across = max(1, round(labelled.width * scale[0]))
    down = max(1, round(labelled.height * scale[1]))
    x, y = (
        round(min(max(float(at), min(0, room)), max(0, room)))
        for at, room in zip(corner, (width - across, height - down), strict=True)
    )
    left, top = max(0, x), max(0, y)
    right, bottom = min(width, x + across), min(height, y + down)
    by_x, by_y = across / labelled.width, down / labelled.height
    # Whole pixels, and what of them is shown: only that is converted.
    first = (max(0, math.floor((left - x) / by_x) - 2), max(0, math.floor((top - y) / by_y) - 2))
    last = (math.ceil((right - x) / by_x) + 2, math.ceil((bottom - y) / by_y) + 2)
    part = np.ascontiguousarray(pixels[first[1] : last[1], first[0] : last[0]])
    box = (
        (left - x) / by_x - first[0],
        (top - y) / by_y - first[1],
        min((right - x) / by_x - first[0], part.shape[1]),
        min((bottom - y) / by_y - first[1], part.shape[0]),
    )
    # As the service reduces, or as cameras and web pages do.
    gap = 1.0 if random.random() < 0.5 else None
    shown = Image.fromarray(part).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR, box, reducing_gap=gap
    )
    # The service fills with black; what else may lie beside a photo is any colour.
    colour = random.integers(0, 256, 3, np.uint8) if random.random() < 0.3 else np.uint8(0)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = colour
    canvas[top:bottom, left:right] = np.asarray(shown)
    found = labelled.faces.scaled(by_x, by_y)
    shift = np.array([x, y], np.float32)
    moved = Found(found.boxes + np.tile(shift, 2), found.landmarks + shift, found.scores)
    return View(canvas, moved, labelled.sure)


def turn(view: View, degrees: float) -> View:
    """Turned clockwise around its middle; upright boxes of the same size stay around the faces."""
    height, width, _ = view.pixels.shape
    pixels = Image.fromarray(view.pixels).rotate(-degrees, Image.Resampling.BILINEAR)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[cos, sin], [-sin, cos]], np.float32)
    center = np.array([width, height], np.float32) / 2
    found = view.found
    middles = found.boxes.reshape(-1, 2, 2).mean(axis=1)
    shift = ((middles - center) @ matrix + center - middles).astype(np.float32)
    landmarks = ((found.landmarks - center) @ matrix + center).astype(np.float32)
    return View(
        np.asarray(pixels),
        Found(found.boxes + np.tile(shift, 2), landmarks, found.scores),
        view.sure,
    )


def _cut(view: View) -> View:
    """Faces that are mostly out of the view are not learnt; those quite out of it are gone."""
    height, width, _ = view.pixels.shape
    boxes = view.found.boxes
    limits = np.array([width, height, width, height], np.float32)
    inside = boxes.clip(0, limits)
    middles = boxes.reshape(-1, 2, 2).mean(axis=1)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (inside, boxes)]
    seen = areas[0] / np.maximum(areas[1], 1e-6)
    held = ((middles > 0) & (middles < limits[:2])).all(axis=1)
    sure = view.sure & held & (seen >= VISIBLE)
    # Of what is not learnt the part inside counts, to be left alone.
    found = view.found._replace(boxes=np.where(sure[:, None], boxes, inside))
    kept = seen > 0
    return View(view.pixels, found.take(kept), sure[kept])
