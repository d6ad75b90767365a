from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.explainer import Heat
from service.faces import Frame
from service.images import Photo
from service.overlay import MAX_SIDE, Mark, colour_table, draw_overlay

GRAY = 90


def photo(width: int, height: int, scale: int = 1) -> Photo:
    """An even gray, decoded at 1/`scale` of its size."""
    pixels = np.full((height // scale, width // scale, 3), GRAY, np.uint8)
    return Photo(pixels, width, height)


def mark(
    frame: Frame, values: NDArray[np.float32], box: tuple[float, float, float, float] | None = None
) -> Mark:
    heat = Heat("happy", frame, values)
    return Mark(heat, None if box is None else np.array(box, np.float32), 0.5)


def drawn(photo: Photo, *marks: Mark, boxes: bool = False) -> NDArray[np.int16]:
    png = draw_overlay(photo, marks, boxes=boxes)
    picture = Image.open(BytesIO(png))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    return np.asarray(picture).astype(np.int16)


def changed(picture: NDArray[np.int16]) -> tuple[int, int, int, int]:
    """The smallest rectangle (left, top, right, bottom) with all that is not gray."""
    rows, columns = np.nonzero(np.abs(picture - GRAY).max(axis=2) > 2)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


ALL_HOT = np.ones((6, 6), np.float32)
COLD = np.zeros((6, 6), np.float32)


def test_a_photo_without_faces_is_itself() -> None:
    assert (drawn(photo(60, 40)) == GRAY).all()


def test_heat_lies_in_its_frame() -> None:
    picture = drawn(photo(60, 40), mark(Frame(10, 8, 24), ALL_HOT))

    assert changed(picture) == (10, 8, 34, 32)


def test_where_it_is_cold_the_photo_stays() -> None:
    assert (drawn(photo(60, 40), mark(Frame(10, 8, 24), COLD)) == GRAY).all()


def test_the_hottest_place_is_where_the_map_says() -> None:
    values = COLD.copy()
    values[1, 4] = 1  # second row, fifth column

    picture = drawn(photo(80, 80), mark(Frame(10, 10, 60), values))

    warmth = np.abs(picture - GRAY).sum(axis=2)
    row, column = np.unravel_index(warmth.argmax(), warmth.shape)
    assert 10 + 10 <= row < 10 + 20
    assert 10 + 40 <= column < 10 + 50
    # Bilinear: as warm in between, nothing two cells away.
    assert warmth[25, 55] > warmth[25, 48] > warmth[25, 45] > 0
    assert warmth[25, 34] == 0


@pytest.mark.parametrize(
    "frame", [Frame(-30, -20, 70), Frame(40, 20, 90), Frame(-50, -50, 200), Frame(70, 50, 10)]
)
def test_a_frame_may_reach_out_of_the_photo(frame: Frame) -> None:
    picture = drawn(photo(60, 40), mark(frame, ALL_HOT))

    inside = max(0, min(60, frame.left + frame.side) - max(0, frame.left))
    assert ((picture != GRAY).any(axis=(0, 2))).sum() == inside


def test_the_part_inside_shows_its_part_of_the_map() -> None:
    values = COLD.copy()
    values[:, 3:] = 1  # the right half

    left_half_outside = drawn(photo(60, 60), mark(Frame(-30, 0, 60), values))
    right_half_outside = drawn(photo(60, 60), mark(Frame(30, 0, 60), values))

    assert changed(left_half_outside)[2] == 30
    assert (np.abs(left_half_outside[:, 6:29] - GRAY).max(axis=2) > 2).all()
    assert (np.abs(right_half_outside[:, :54] - GRAY).max() <= 2).all()


def test_heat_is_turned_with_its_frame() -> None:
    values = COLD.copy()
    values[0, 1] = 1  # above on the left: a quarter clockwise it is above on the right
    lying = Mark(Heat("happy", Frame(10, 10, 60), values, roll=90), None, 0.5)

    found = drawn(photo(80, 80), lying)

    expected = drawn(photo(80, 80), mark(Frame(10, 10, 60), np.rot90(values, -1)))
    assert np.abs(found - expected).max() <= 2


def test_a_turned_frame_reaches_out_of_itself() -> None:
    hot = Mark(Heat("happy", Frame(20, 20, 40), ALL_HOT, roll=45), None, 0.5)

    corner = 40 * 2**0.5 / 2
    expected = (40 - corner, 40 - corner, 40 + corner, 40 + corner)
    np.testing.assert_allclose(changed(drawn(photo(80, 80), hot)), expected, atol=1.5)


@pytest.mark.parametrize("scale", [1, 4])
def test_large_photos_become_smaller_and_frames_with_them(scale: int) -> None:
    picture = drawn(photo(4 * MAX_SIDE, 800, scale), mark(Frame(400, 80, 400), ALL_HOT))

    assert picture.shape == (200, MAX_SIDE, 3)
    assert changed(picture) == (100, 20, 200, 120)


def test_of_a_photo_like_a_thread_no_more_is_drawn_than_is_shown() -> None:
    """Its width is less than a pixel of the picture; the heat is a square of its height."""
    picture = drawn(photo(1, 20_000), mark(Frame(-5_000, 10_000, 10_000), ALL_HOT))
    assert picture.shape == (MAX_SIDE, 1, 3)
    assert changed(picture) == (0, MAX_SIDE // 2, 1, MAX_SIDE)


def test_small_photos_keep_their_size() -> None:
    assert drawn(photo(1, 1), mark(Frame(0, 0, 1), ALL_HOT), boxes=True).shape == (1, 1, 3)


def test_boxes_and_captions() -> None:
    face = mark(Frame(0, 0, 1), COLD, (100, 60, 200, 160))

    picture = drawn(photo(320, 240), face, boxes=True)

    left, top, right, bottom = changed(picture)
    assert (left, right, bottom) == (100, 201, 161)
    assert top < 60  # the caption stands above the box
    assert (picture[110, 150] == GRAY).all()
    assert picture[110, 100].min() > 250  # white, with a dark line beside it
    assert picture[110, 101].max() < 50
    assert (drawn(photo(320, 240), face) == GRAY).all()


@pytest.mark.parametrize(
    "box", [None, (0.0, 0.0, 320.0, 240.0), (300.0, 2.0, 320.0, 30.0), (310.0, 220.0, 320.0, 240.0)]
)
def test_captions_stay_in_the_picture(box: tuple[float, float, float, float] | None) -> None:
    picture = drawn(photo(320, 240), mark(Frame(0, 0, 1), COLD, box), boxes=True)

    letters = (picture > 180).all(axis=2)
    dark = (picture < 40).all(axis=2)
    assert dark.sum() > 300
    assert letters.sum() > 50


@pytest.mark.parametrize(
    ("probability", "caption"),
    [(0.974, "happy 97%"), (1.0, "happy 100%"), (0.01, "happy 1%"), (0.004, "happy < 1%")],
)
def test_a_caption_tells_the_expression_and_its_probability(
    probability: float, caption: str
) -> None:
    assert Mark(Heat("happy", Frame(0, 0, 1), COLD), None, probability).caption == caption


def test_the_colours_get_lighter_with_the_heat() -> None:
    """Read alike in gray, and by the colour-blind."""
    table = colour_table()
    light = table.astype(np.float64) @ [0.2126, 0.7152, 0.0722]

    assert table.shape == (256, 3)
    assert (np.diff(light) > -1.0).all()
    assert (np.diff(light[::16]) > 0).all()
