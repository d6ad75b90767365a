"""A set of photos, labelled and decoded, and split into those to learn from and those held back.

    python -m training.detector label --photos PHOTOS

lets CenterFace label what has no label yet, and draws a contact sheet to look at. It goes on where
it was stopped. Neither labels nor sheet are to be published: photos belong to their owners.
"""

import argparse
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.holdout import hold_back, thumbnail
from training.photo_labels import (
    LABELS,
    SHEET,
    LabelledPhoto,
    draw_sheet,
    read_labels,
    write_labels,
)
from training.photos import Photos, PhotosError, Pixels, open_photos
from training.pixel_store import PixelStore
from training.teacher import centerface

FOLDER = Path("data/photos-labels")
SMOKE = 48  # photos of a rehearsal


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSet:
    """`store[i]` are the pixels of `labelled[i]`; the others are indices into both."""

    labelled: list[LabelledPhoto]
    store: PixelStore
    training: list[int]
    held_back: list[int]


@dataclass(frozen=True, slots=True)
class _Some:
    """A few photos of a set, from all of it."""

    names: list[str]
    photos: Photos

    def read(self, name: str) -> Pixels:
        return self.photos.read(name)


def own_folder(path: Path) -> Path:
    """Where the labels of these photos are by default: no other photos' are."""
    place = path.resolve()
    return FOLDER / f"{place.name}-{zlib.crc32(os.fsencode(place)):08x}"


def choose(path: Path, labels: Path | None, smoke: bool) -> tuple[Photos, Path]:
    """The photos of a folder or .zip and the folder of their labels; a rehearsal has its own."""
    folder, photos = labels or own_folder(path), open_photos(path)
    if not smoke:
        return photos, folder
    spread = np.linspace(0, len(photos.names) - 1, min(SMOKE, len(photos.names)), dtype=int)
    few = _Some([photos.names[row] for row in spread], photos)
    return few, folder.with_name(f"{folder.name}-smoke")


def label_photos(photos: Photos, folder: Path) -> list[LabelledPhoto]:
    """All photos with their labels, in the order of their names; those without one get one."""
    file = folder / LABELS
    labelled = {photo.name: photo for photo in (read_labels(file) if file.exists() else [])}
    if not labelled.keys() >= set(photos.names):
        print(f"CenterFace labels photos into {folder}", file=sys.stderr)
        write_labels(photos, centerface(), folder)
        labelled = {photo.name: photo for photo in read_labels(file)}
    return [labelled[name] for name in photos.names]


def open_photo_set(path: Path, labels: Path | None = None, *, smoke: bool = False) -> PhotoSet:
    """The photos of a folder or .zip; what has no label in the folder `labels` gets one.

    Raises `PhotosError` where none could be held back.
    """
    photos, folder = choose(path, labels, smoke)
    labelled = label_photos(photos, folder)
    store = PixelStore(photos, labelled, folder)
    thumbnails = np.stack([thumbnail(store[row]) for row in range(len(store))])
    held = hold_back(photos.names, thumbnails)
    if held.all() or not held.any():
        raise PhotosError(f"{path}: expected photos to learn from and to judge by, found too few")
    return PhotoSet(labelled, store, np.flatnonzero(~held).tolist(), np.flatnonzero(held).tolist())


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.detector label",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder or a .zip of photos")
    parser.add_argument("--labels", type=Path, help=f"where to write (default: in {FOLDER})")
    parser.add_argument("--smoke", action="store_true", help=f"only {SMOKE} of the photos")
    chosen = parser.parse_args(arguments)
    photos, folder = choose(chosen.photos, chosen.labels, chosen.smoke)
    labelled = label_photos(photos, folder)
    draw_sheet(photos, labelled, folder / SHEET)
    sure = np.concatenate([photo.sure for photo in labelled])
    print(f"{len(labelled)} photos, {sure.sum()} faces and {(~sure).sum()} that may be one")
    print(f"look at {folder / SHEET}")
