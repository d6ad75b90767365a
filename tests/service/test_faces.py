import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service.faces import Face, Frame, Framing, crop_face, crop_whole, frame_whole

WHOLE = Framing(center=(0.5, 0.5), size=(1.0, 1.0))
CENTERFACE = Framing(center=(0.5, 0.518), size=(0.8, 0.947))


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def smooth(height: int, width: int, hills: int = 6) -> NDArray[np.uint8]:
    small = Image.fromarray(picture(hills, hills))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def as_training_resizes(
    gray: NDArray[np.uint8], box: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(gray).resize((48, 48), Image.Resampling.BILINEAR, box=box))


def square(left: float, top: float, side: float) -> NDArray[np.float32]:
    return np.array([left, top, left + side, top + side], np.float32)


# Framing


@settings(deadline=None)
@given(
    left=st.floats(-500, 500),
    top=st.floats(-500, 500),
    side=st.floats(4, 2000),
    center=st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    size=st.tuples(st.floats(0.3, 1.5), st.floats(0.3, 1.5)),
)
def test_a_frame_is_found_again_from_the_box_in_it(
    left: float,
    top: float,
    side: float,
    center: tuple[float, float],
    size: tuple[float, float],
) -> None:
    x, y = left + center[0] * side, top + center[1] * side
    half_width, half_height = size[0] * side / 2, size[1] * side / 2
    box = np.array([x - half_width, y - half_height, x + half_width, y + half_height], np.float32)
    assert Framing(center, size).frame(box) == pytest.approx((left, top, side), rel=1e-3, abs=0.05)


@pytest.mark.parametrize("size", [(0.0, 1.0), (-1.0, 1.0), (float("inf"), 1.0), (float("nan"), 1)])
def test_a_framing_without_a_size_is_refused(size: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected finite numbers and a size above 0"):
        Framing(center=(0.5, 0.5), size=size)


@pytest.mark.parametrize("upright", [-1.0, 181.0, float("nan")])
def test_a_framing_that_turns_by_an_impossible_angle_is_refused(upright: float) -> None:
    with pytest.raises(ValueError, match="expected upright to be 0 to 180 degrees"):
        Framing((0.5, 0.5), (1.0, 1.0), upright)


@pytest.mark.parametrize(
    ("roll", "lean"), [(0, 0), (7.9, 0), (-7.9, 0), (20, 12), (-20, -12), (180, 172)]
)
def test_what_is_more_than_upright_is_turned_back(roll: float, lean: float) -> None:
    assert Framing((0.5, 0.5), (1.0, 1.0), upright=8).lean(roll) == pytest.approx(lean)


@pytest.mark.parametrize(
    ("right_eye", "left_eye", "turns", "roll"),
    [
        ((10, 20), (30, 20), 0, 0),
        ((10, 20), (30, 40), 0, 45),  # clockwise: the eye on the right is lower
        ((10, 40), (30, 20), 0, -45),
        ((10, 20), (10, 40), 1, 0),
        ((10, 20), (0, 40), 1, math.degrees(math.atan2(10, 20))),
        ((30, 20), (10, 20), 2, 0),
        ((10, 40), (10, 20), 3, 0),
    ],
)
def test_the_eyes_tell_the_roll(
    right_eye: tuple[float, float], left_eye: tuple[float, float], turns: int, roll: float
) -> None:
    landmarks = np.array([right_eye, left_eye, (0, 0), (0, 0), (0, 0)], np.float32)
    face = Face(np.zeros(4, np.float32), landmarks, 0.9, turns)
    assert face.roll == pytest.approx(roll, abs=1e-4)


# crop_face


def test_a_face_in_the_image_at_another_size() -> None:
    box, landmarks = np.array([10, 20, 30, 60], np.float32), np.ones((5, 2), np.float32)
    face = Face(box, landmarks, 0.9, turns=1).scaled((2.0, 0.5))
    assert face.box.tolist() == [20, 10, 60, 30]
    assert face.landmarks.tolist() == [[2.0, 0.5]] * 5
    assert (face.score, face.turns) == (0.9, 1)


def test_a_frame_of_48_pixels_is_those_pixels() -> None:
    gray = picture(200, 300)
    crop = crop_face(gray, square(70, 30, 48), WHOLE)
    np.testing.assert_array_equal(crop, gray[30:78, 70:118])
    assert crop.dtype == np.uint8


def test_a_picture_of_48_pixels_as_a_whole_is_itself() -> None:
    gray = picture(48, 48)
    np.testing.assert_array_equal(crop_face(gray, square(0, 0, 48), WHOLE), gray)
    np.testing.assert_array_equal(crop_whole(gray), gray)


@pytest.mark.parametrize(
    ("left", "top", "side"), [(50, 40, 120), (61.25, 30.75, 96.5), (80, 70, 30), (40, 40, 201.3)]
)
def test_inside_the_image_a_crop_is_what_pillow_makes_of_the_whole_image(
    left: float, top: float, side: float
) -> None:
    gray = picture(300, 320)
    box = square(left, top, side)
    x_min, y_min, x_max, y_max = (float(edge) for edge in box)
    expected = as_training_resizes(gray, (x_min, y_min, x_max, y_max))
    found = crop_face(gray, box, WHOLE)
    # Pillow rounds its weights once from the image's origin and once from the crop's.
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_the_framing_says_what_is_cut() -> None:
    gray = smooth(300, 320)
    x, y, side = 100.0, 60.0, 144.0
    center = (x + 0.5 * side, y + 0.518 * side)
    half = (0.4 * side, 0.4735 * side)
    box = np.array(
        [center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]],
        np.float32,
    )
    found = crop_face(gray, box, CENTERFACE)
    expected = as_training_resizes(gray, (x, y, x + side, y + side))
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("left", "top"), [(-40, 20), (20, -40), (150, 20), (20, 110), (-40, -40), (150, 110)]
)
def test_outside_the_image_its_edge_pixels_go_on(left: float, top: float) -> None:
    gray = picture(160, 200)
    found = crop_face(gray, square(left, top, 96), WHOLE)
    around = np.pad(gray, 200, mode="edge")
    expected = as_training_resizes(around, (left + 200, top + 200, left + 296, top + 296))
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    corners=st.tuples(*[st.floats(0, 1, width=32)] * 4),
)
def test_every_box_inside_an_image_gives_a_crop(
    height: int, width: int, corners: tuple[float, float, float, float]
) -> None:
    x_min, x_max = sorted((corners[0] * width, corners[1] * width))
    y_min, y_max = sorted((corners[2] * height, corners[3] * height))
    box = np.array([x_min, y_min, max(x_max, x_min + 0.5), max(y_max, y_min + 0.5)], np.float32)
    crop = crop_face(np.full((height, width), 77, np.uint8), box, CENTERFACE)
    np.testing.assert_array_equal(crop, np.full((48, 48), 77))


def test_another_size_can_be_asked_for() -> None:
    assert crop_face(picture(100, 100), square(10, 10, 60), WHOLE, size=64).shape == (64, 64)


def test_a_crop_of_a_read_only_view_leaves_it_alone() -> None:
    gray = picture(100, 100)
    view = gray[::-1, ::-1]
    view.flags.writeable = False
    before = gray.copy()
    np.testing.assert_array_equal(crop_face(view, square(10, 10, 48), WHOLE), view[10:58, 10:58])
    np.testing.assert_array_equal(gray, before)


def test_only_the_frame_of_a_colour_image_is_made_gray() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (120, 100, 3), np.uint8)
    gray = np.asarray(Image.fromarray(rgb).convert("L"))
    box = square(60, 70, 50)  # it reaches out of the image
    np.testing.assert_array_equal(crop_face(rgb, box, CENTERFACE), crop_face(gray, box, CENTERFACE))


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, -1])
def test_the_frame_of_a_turned_face_is_the_frame_turned(turns: int) -> None:
    gray = smooth(200, 200)
    box = np.array([60, 50, 120, 130], np.float32)
    turned = box
    for _ in range(turns % 4):  # a quarter clockwise
        x_min, y_min, x_max, y_max = turned
        turned = np.array([200 - y_max, x_min, 200 - y_min, x_max], np.float32)
    found = crop_face(np.rot90(gray, -turns), turned, CENTERFACE, turns=turns)
    expected = crop_face(gray, box, CENTERFACE)
    assert np.abs(found.astype(int) - expected).max() <= 1


def rolled(gray: NDArray[np.uint8], box: NDArray[np.float32], roll: float) -> NDArray[np.uint8]:
    """A picture turned clockwise around the middle of a box, which stays where it is."""
    middle = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    turned = Image.fromarray(gray).rotate(-roll, Image.Resampling.BICUBIC, center=middle)
    return np.asarray(turned)


OFF_CENTRE = Framing(center=(0.45, 0.6), size=(0.8, 0.9), upright=8.0)


@pytest.mark.parametrize("roll", [-40, -20, 15, 30])
@pytest.mark.parametrize("width", [20, 110, 300])
def test_a_rolled_face_is_turned_back_to_what_is_upright(width: int, roll: float) -> None:
    gray = smooth(1000, 1000, hills=1500 // width)
    box = np.array([450, 400, 450 + width, 400 + width * 9 / 8], np.float32)
    found = crop_face(rolled(gray, box, roll), box, OFF_CENTRE, roll=roll)

    upright = math.copysign(8, roll)
    expected = crop_face(rolled(gray, box, upright), box, OFF_CENTRE, roll=upright)
    assert np.abs(found.astype(int) - expected).max() <= 6
    as_it_stands = crop_face(rolled(gray, box, roll), box, OFF_CENTRE)
    assert np.abs(as_it_stands.astype(int) - expected).max() > 20


def test_a_face_that_is_hardly_rolled_is_left_alone() -> None:
    gray, box = picture(200, 200), square(60, 70, 50)
    found = crop_face(gray, box, OFF_CENTRE, roll=-7.5)
    np.testing.assert_array_equal(found, crop_face(gray, box, OFF_CENTRE))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_may_be_turned_and_rolled(turns: int) -> None:
    gray = smooth(200, 200)
    box = np.array([60, 50, 120, 130], np.float32)
    expected = crop_face(gray, box, OFF_CENTRE, roll=25)
    for _ in range(turns):  # a quarter clockwise
        x_min, y_min, x_max, y_max = box
        box = np.array([200 - y_max, x_min, 200 - y_min, x_max], np.float32)
    found = crop_face(np.rot90(gray, -turns), box, OFF_CENTRE, turns=turns, roll=25)
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_a_rolled_face_at_the_border_has_the_edge_pixels_around_it() -> None:
    crop = crop_face(np.full((90, 70), 77, np.uint8), square(0, 0, 60), OFF_CENTRE, roll=40)
    np.testing.assert_array_equal(crop, np.full((48, 48), 77))


# crop_whole


@pytest.mark.parametrize("side", [1, 20, 96, 500])
def test_a_square_as_a_whole_is_resized(side: int) -> None:
    gray = picture(side, side)
    np.testing.assert_array_equal(crop_whole(gray), as_training_resizes(gray, (0, 0, side, side)))


def test_a_whole_image_keeps_its_proportions() -> None:
    """A disc in the middle of a wide image stays a disc."""
    y, x = np.mgrid[:120, :240]
    disc = ((x - 119.5) ** 2 + (y - 59.5) ** 2 < 50**2).astype(np.uint8) * 255
    rows, columns = np.nonzero(crop_whole(disc) > 127)
    assert np.ptp(rows) == np.ptp(columns) == 19


def test_a_whole_image_goes_on_with_its_edge_pixels() -> None:
    wide = np.repeat(np.array([[10], [200]], np.uint8), 4, axis=1)
    crop = crop_whole(wide)
    np.testing.assert_array_equal(crop[:12], np.full((12, 48), 10))
    np.testing.assert_array_equal(crop[36:], np.full((12, 48), 200))
    np.testing.assert_array_equal(crop_whole(wide.T), crop.T)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60_000), (60_000, 1), (2, 3)])
def test_a_whole_image_of_any_shape_gives_a_crop(shape: tuple[int, int]) -> None:
    crop = crop_whole(np.full(shape, 77, np.uint8))
    np.testing.assert_array_equal(crop, np.full((48, 48), 77))


@pytest.mark.parametrize(
    ("height", "width", "frame"),
    [
        (48, 48, Frame(0, 0, 48)),
        (100, 200, Frame(0, -50, 200)),
        (300, 100, Frame(-100, 0, 300)),
        (1, 480, Frame(0, -230, 480)),  # 23 of 48 rows above the only one
    ],
)
def test_the_frame_of_a_whole_image_is_its_square(height: int, width: int, frame: Frame) -> None:
    assert frame_whole(height, width) == frame
