"""Which photos are held back to judge by: a tenth of every source, near-duplicates together."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.photos import Pixels

SHARE = 0.1
SIDE = 16  # pixels of the small gray pictures that are compared
ALIKE = 0.95  # least correlation of near-duplicates


def thumbnail(pixels: Pixels) -> NDArray[np.float32]:
    """A small gray picture (256,) of unit length: dot products of such are correlations."""
    gray = np.asarray(Image.fromarray(pixels).convert("L").resize((SIDE, SIDE)), np.float32)
    centred = gray.ravel() - gray.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), np.float32)


def source(name: str) -> str:
    """Where a photo comes from, as its name tells: its folder, or what stands before a "_".

    Else it has no name: the photo's own is nobody's business.
    """
    folder, _, file = name.rpartition("/")
    before, underscore, _ = file.partition("_")
    return folder or (before if underscore else "unnamed")


def hold_back(names: list[str], thumbnails: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) whether each photo is held back.

    Names decide, as if by dice: every source gives its share, and photos that are added later move
    no other from one side to the other, unless they show that two were alike.
    """
    groups = _groups(thumbnails)
    chances = [int(hashlib.sha256(name.encode()).hexdigest(), 16) / 2**256 for name in names]
    return np.array([chances[group] < SHARE for group in groups], np.bool_)


def _groups(thumbnails: NDArray[np.float32]) -> NDArray[np.intp]:
    """(N,) the first photo that each is alike, directly or through others."""
    group = np.arange(len(thumbnails))
    for index in range(len(thumbnails)):
        alike = np.flatnonzero(thumbnails[: index + 1] @ thumbnails[index] >= ALIKE)
        joined = np.unique(group[np.append(alike, index)])
        group[np.isin(group, joined)] = joined.min()
    return group
