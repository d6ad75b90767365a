import numpy as np
import pytest
from numpy.typing import NDArray

from training.found import Floats, Found
from training.photo_labels import LabelledPhoto
from training.views import FACES, View, mosaic, single

SIZE = (256, 320)
DOT = np.array([230, 40, 40], np.uint8)


def photo(
    box: tuple[int, int, int, int], height: int, width: int
) -> tuple[NDArray[np.uint8], LabelledPhoto]:
    """A gray photo in which one face is a red rectangle, and its nose in the middle."""
    x_min, y_min, x_max, y_max = box
    pixels = np.full((height, width, 3), 120, np.uint8)
    pixels[y_min:y_max, x_min:x_max] = DOT
    corners = np.array([box], np.float32)
    points = np.repeat(corners.reshape(1, 2, 2).mean(axis=1, keepdims=True), 5, axis=1)
    found = Found(corners, points, np.ones(1, np.float32))
    return pixels, LabelledPhoto("p.jpg", height, width, found, np.ones(1, np.bool_))


def coloured(pixels: NDArray[np.uint8]) -> Floats:
    """The box around what has the face's colour: (4,)."""
    rows, columns = np.nonzero(np.abs(pixels.astype(int) - DOT).max(axis=2) < 12)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return np.array(edges, np.float32)


def views(count: int = 200) -> list[View]:
    pixels, labelled = photo((200, 100, 240, 150), 300, 450)
    return [single(pixels, labelled, SIZE, np.random.default_rng(seed)) for seed in range(count)]


def test_the_box_is_where_the_face_is() -> None:
    """Turned, the upright box stays as large as it was, and its middle is the face's."""
    compared = 0
    for view in views():
        assert view.pixels.shape == (*SIZE, 3)
        for box, points in zip(
            view.found.boxes[view.sure], view.found.landmarks[view.sure], strict=True
        ):
            np.testing.assert_allclose(points[2], box.reshape(2, 2).mean(axis=0), atol=0.5)
            whole = (box[:2] > 2).all() and (box[2:] < (SIZE[1] - 2, SIZE[0] - 2)).all()
            if whole:
                seen = coloured(view.pixels).reshape(2, 2).mean(axis=0)
                np.testing.assert_allclose(seen, points[2], atol=3)
                compared += 1
    assert compared > 80


def test_faces_of_every_size_are_seen() -> None:
    sides = np.concatenate([view.found.sides[view.sure] for view in views()])
    assert sides.min() < 1.5 * FACES[0]
    assert sides.max() > 120
    assert np.histogram(sides, (0, 20, 40, 80, 200))[0].min() > 10


def test_the_same_seed_gives_the_same_view() -> None:
    for first, second in zip(views(5), views(5), strict=True):
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.found.boxes, second.found.boxes)


def test_what_is_mostly_out_of_the_view_is_not_learnt() -> None:
    pixels, labelled = photo((0, 0, 300, 300), 300, 300)
    for seed in range(60):
        view = single(pixels, labelled, (64, 64), np.random.default_rng(seed))
        for box, sure in zip(view.found.boxes, view.sure, strict=True):
            inside = box.clip(0, 64)
            if not sure:
                np.testing.assert_allclose(box, inside)
            else:
                seen = (inside[2:] - inside[:2]).prod() / (box[2:] - box[:2]).prod()
                assert seen >= 0.59


def test_a_photo_without_faces_gives_none() -> None:
    pixels, _ = photo((10, 10, 20, 20), 100, 100)
    nobody = LabelledPhoto("n.jpg", 100, 100, Found.none(), np.zeros(0, np.bool_))
    view = single(pixels, nobody, SIZE, np.random.default_rng(0))
    assert view.found.boxes.shape == (0, 4)


def test_a_mosaic_puts_four_side_by_side() -> None:
    _, labelled = photo((20, 20, 40, 40), 60, 60)
    sizes = [(100, 140), (100, 180), (156, 140), (156, 180)]
    parts = []
    for seed, size in enumerate(sizes):
        view = View(np.full((*size, 3), 50 * seed, np.uint8), labelled.faces, labelled.sure)
        parts.append(view)
    whole = mosaic(parts, SIZE, (100, 140))
    assert whole.pixels[[0, 0, 200, 200], [0, 300, 0, 300], 0].tolist() == [0, 50, 100, 150]
    corners = whole.found.boxes[:, :2].tolist()
    assert corners == [[20, 20], [160, 20], [20, 120], [160, 120]]
    assert whole.found.landmarks[3, 2].tolist() == pytest.approx([170, 130])
    assert whole.sure.tolist() == [True] * 4
