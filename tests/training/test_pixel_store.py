from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.found import Found
from training.photo_labels import LabelledPhoto
from training.photos import PhotosError, Pixels
from training.pixel_store import PixelStore


class Grays:
    """Photos of one size, each of one gray."""

    def __init__(self, grays: dict[str, int]) -> None:
        self.grays = grays
        self.names = sorted(grays)
        self.read_names: list[str] = []

    def read(self, name: str) -> Pixels:
        self.read_names.append(name)
        return np.full((4, 6, 3), self.grays[name], np.uint8)

    def labelled(self) -> list[LabelledPhoto]:
        return [
            LabelledPhoto(name, 4, 6, Found.none(), np.zeros(0, np.bool_)) for name in self.names
        ]


def test_photos_are_decoded_once(tmp_path: Path) -> None:
    photos = Grays({"a": 50, "b": 200})
    for _ in range(2):
        store = PixelStore(photos, photos.labelled(), tmp_path)
        assert [int(store[row][0, 0, 0]) for row in range(len(store))] == [50, 200]
    assert photos.read_names == ["a", "b"]


def test_and_again_where_they_changed_and_their_sizes_did_not(tmp_path: Path) -> None:
    for grays in ({"a": 50, "b": 200}, {"b": 200, "c": 50}, {"a": 50}):
        photos = Grays(grays)
        store = PixelStore(photos, photos.labelled(), tmp_path)
        assert [int(store[row][0, 0, 0]) for row in range(len(store))] == list(grays.values())


def test_a_photo_of_another_size_than_its_label_is_told(tmp_path: Path) -> None:
    photos = Grays({"a": 50, "b": 200})
    first, second = photos.labelled()
    wider = replace(second, width=9)
    with pytest.raises(PhotosError, match=r"b: expected 9 x 4 pixels, .* found 6 x 4"):
        PixelStore(photos, [first, wider], tmp_path)
    store = PixelStore(photos, [first, second], tmp_path)
    assert [int(store[row][0, 0, 0]) for row in range(2)] == [50, 200]
