"""The decoded photos of a training set, one after the other in one file that is mapped into memory.

Decoding a JPEG costs as much as training on it, and an epoch comes back to every photo. The file
lies beside the labels, and is written again when they have other names or sizes, or another order.
"""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.photo_labels import LabelledPhoto
from training.photos import Photos, PhotosError, Pixels

FILE, INDEX = "pixels.bin", "pixels.json"


class PixelStore:
    """`store[i]` are the pixels of `labelled[i]`, (height, width, 3) RGB.

    Raises `PhotosError` for a photo that has another size than the one which was labelled.
    """

    def __init__(self, photos: Photos, labelled: list[LabelledPhoto], folder: Path) -> None:
        self._shapes = [(photo.height, photo.width, 3) for photo in labelled]
        sizes = [height * width * 3 for height, width, _ in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        path, index = folder / FILE, folder / INDEX
        held = json.dumps([[photo.name, photo.height, photo.width] for photo in labelled])
        if not (path.exists() and index.exists() and index.read_text() == held):
            index.unlink(missing_ok=True)
            new = path.with_suffix(".new")
            with new.open("wb") as file:
                for photo in tqdm(labelled, desc="decoding", unit=" photos", disable=None):
                    file.write(_read(photos, photo).tobytes())
            new.replace(path)
            index.write_text(held)
        self._bytes = np.memmap(path, np.uint8, "r")

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: int) -> Pixels:
        start, stop = self._starts[index : index + 2]
        return self._bytes[start:stop].reshape(self._shapes[index])


def _read(photos: Photos, labelled: LabelledPhoto) -> Pixels:
    pixels = photos.read(labelled.name)
    height, width, _ = pixels.shape
    if (height, width) != (labelled.height, labelled.width):
        raise PhotosError(
            f"{labelled.name}: expected {labelled.width} x {labelled.height} pixels, as it was "
            f"labelled, found {width} x {height}: label these photos into another folder"
        )
    return pixels
