from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.found import Found
from training.photo_labels import draw_sheet, read_labels, write_labels


class Photos:
    """Photos of one colour each, which remember when they were read."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.read_names: list[str] = []

    def read(self, name: str) -> NDArray[np.uint8]:
        self.read_names.append(name)
        return np.full((60, 80, 3), len(name), np.uint8)


def look(photo: NDArray[np.uint8], side: int, threshold: float) -> Found:
    """A sure face in the middle, which is its own mirror image, and what may be one."""
    boxes = np.array([[30, 20, 50, 45], [35, 50, 45, 58]], np.float32)
    points = np.array([[[35, 30], [45, 30], [40, 35], [36, 40], [44, 40]]] * 2, np.float32)
    return Found(boxes, points, np.array([0.9, 0.3], np.float32))


def test_labels_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = write_labels(Photos("b.jpg", "a.jpg"), look, tmp_path)
    first, second = read_labels(path)
    assert (first.name, second.name) == ("a.jpg", "b.jpg")
    assert (first.height, first.width) == (60, 80)
    np.testing.assert_allclose(first.faces.boxes[0], [30, 20, 50, 45])
    np.testing.assert_allclose(first.faces.landmarks[0, 2], [40, 35])
    np.testing.assert_array_equal(first.sure, [True, False])


def test_labelling_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = write_labels(Photos("a.jpg", "b.jpg"), look, tmp_path)
    whole = path.read_text()
    path.write_text(whole[:-30])  # killed while it wrote the second line
    assert [photo.name for photo in read_labels(path)] == ["a.jpg"]
    photos = Photos("a.jpg", "b.jpg", "c.jpg")
    write_labels(photos, look, tmp_path)
    assert photos.read_names == ["b.jpg", "c.jpg"]
    assert [photo.name for photo in read_labels(path)] == ["a.jpg", "b.jpg", "c.jpg"]


def test_photos_without_faces_have_labels_too(tmp_path: Path) -> None:
    path = write_labels(Photos("a.jpg"), lambda *_: Found.none(), tmp_path)
    (photo,) = read_labels(path)
    assert photo.faces.boxes.shape == (0, 4)
    assert photo.sure.shape == (0,)


def test_the_sheet_shows_the_boxes(tmp_path: Path) -> None:
    photos = Photos("a.jpg", "b.jpg")
    labelled = read_labels(write_labels(photos, look, tmp_path))
    draw_sheet(photos, labelled, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"), int)
    green = (sheet[..., 1] - sheet[..., 0] > 100).sum()
    assert green > 2 * 2 * (4 * 20 + 4 * 25) * 0.8  # two rectangles at four times the size
    assert (sheet[..., 0] - sheet[..., 2] > 200).any()
