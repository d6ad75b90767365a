"""Faces, and the square gray crops of them that the expression model reads."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CROP_SIZE = 48  # pixels a side, as in FER-2013


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face that was found in an upright image.

    `box` is (4,) float32: x_min, y_min, x_max, y_max in pixels, inside the image. `landmarks` is
    (5, 2) float32 x, y: right eye, left eye, nose, right and left corner of the mouth, as the
    person has them; where the image cuts a face they may lie outside it. `score` is the
    detector's, 0..1. The face stands upright once the image was turned by `turns` quarters
    counter-clockwise.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    turns: int = 0

    @property
    def roll(self) -> float:
        """Degrees, -180 to 180: how far the eyes' line is turned clockwise, beyond the `turns`."""
        x, y = self.landmarks[1] - self.landmarks[0]
        return (math.degrees(math.atan2(y, x)) - 90 * self.turns + 180) % 360 - 180

    def scaled(self, factors: tuple[float, float]) -> Self:
        """With x and y multiplied: the same face in the image at another size."""
        scale = np.asarray(factors, np.float32)
        return replace(self, box=self.box * np.tile(scale, 2), landmarks=self.landmarks * scale)


class Frame(NamedTuple):
    """The square of an image that becomes a crop, in pixels; it may reach out of the image."""

    left: float
    top: float
    side: float


@dataclass(frozen=True, slots=True)
class Framing:
    """How a detector's boxes lie in the square frames that the classifier was trained on.

    `center` (x, y) and `size` (width, height) of the box, in units of the frame's side. A face with
    a roll of up to `upright` degrees is left as it is, as training has such; one with more is
    turned back to that.
    """

    center: tuple[float, float]
    size: tuple[float, float]
    upright: float = 180.0

    def __post_init__(self) -> None:
        if not (min(self.size) > 0 and all(map(math.isfinite, (*self.center, *self.size)))):
            raise ValueError(f"expected finite numbers and a size above 0, found {self}")
        if not 0 <= self.upright <= 180:
            raise ValueError(f"expected upright to be 0 to 180 degrees, found {self}")

    def lean(self, roll: float) -> float:
        """What of a face's roll is turned back: degrees clockwise."""
        return math.copysign(max(0.0, abs(roll) - self.upright), roll)

    def frame(self, box: NDArray[np.float32], turns: int = 0, roll: float = 0.0) -> Frame:
        """The frame around the box of a face with that roll after `turns`.

        It is the crop's once it is turned clockwise around its middle, by what `lean` says. Width
        and height each tell a side, and their geometric mean is taken.
        """
        x_min, y_min, x_max, y_max = (float(edge) for edge in box)
        side = math.sqrt((x_max - x_min) / self.size[0] * (y_max - y_min) / self.size[1])
        # From the box's middle to the frame's, as an upright face has it, and turned with the face.
        right, down = (side * (0.5 - place) for place in self.center)
        angle = math.radians(90 * turns + self.lean(roll))
        x = (x_min + x_max) / 2 + right * math.cos(angle) - down * math.sin(angle)
        y = (y_min + y_max) / 2 + right * math.sin(angle) + down * math.cos(angle)
        return Frame(x - side / 2, y - side / 2, side)


def crop_face(
    image: NDArray[np.uint8],
    box: NDArray[np.float32],
    framing: Framing,
    size: int = CROP_SIZE,
    *,
    turns: int = 0,
    roll: float = 0.0,
) -> NDArray[np.uint8]:
    """The frame around a box as gray (size, size) uint8, turned by `turns` to stand upright.

    `roll` is the face's beyond that; the framing says how much of it is turned back. `image` is
    (height, width) gray or (height, width, 3) RGB, of which only the frame is made gray. Outside it
    its edge pixels go on. The box has an area and lies in the image.
    """
    left, top, side = framing.frame(box, turns, roll)
    lean = framing.lean(roll)
    # The corners of a turned frame reach out of the upright one.
    slope = math.radians(lean)
    beyond = side / 2 * (abs(math.cos(slope)) + abs(math.sin(slope)) - 1)
    # The bilinear filter reaches half an output pixel out of the frame; one more pixel is certain.
    margin = math.ceil(beyond + side / size) + 1
    x_from, y_from = math.floor(left) - margin, math.floor(top) - margin
    x_to, y_to = math.ceil(left + side) + margin, math.ceil(top + side) + margin

    height, width = image.shape[:2]
    inside = image[max(0, y_from) : min(height, y_to), max(0, x_from) : min(width, x_to)]
    region = np.pad(
        np.asarray(Image.fromarray(inside).convert("L")),
        ((max(0, -y_from), max(0, y_to - height)), (max(0, -x_from), max(0, x_to - width))),
        mode="edge",
    )
    frame = Frame(left - x_from, top - y_from, side)
    if lean:
        region, frame = _turn_back(region, frame, lean, size)
    left, top, side = frame
    crop = _resize(region, (size, size), (left, top, left + side, top + side))
    return np.rot90(crop, turns)


def _turn_back(
    region: NDArray[np.uint8], frame: Frame, lean: float, size: int
) -> tuple[NDArray[np.uint8], Frame]:
    """A gray region turned counter-clockwise around the frame's middle, and the frame in it.

    Twice the pixels of the crop are enough to turn: a larger frame is averaged down to them first.
    """
    factor = max(1, int(frame.side / (2 * size)))
    left, top, side = (value / factor for value in frame)
    middle = (left + side / 2, top + side / 2)
    picture = Image.fromarray(region).reduce(factor)
    turned = picture.rotate(lean, Image.Resampling.BICUBIC, center=middle)
    return np.asarray(turned), Frame(left, top, side)


def crop_whole(gray: NDArray[np.uint8], size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """The whole image (height, width) as one crop, (size, size) uint8.

    Its proportions stay; where it is no square, its edge pixels go on to make it one.
    """
    height, width = gray.shape
    inner_height, inner_width = _fit(height, width, size)
    inner = _resize(gray, (inner_height, inner_width), (0, 0, width, height))
    above, before = (size - inner_height) // 2, (size - inner_width) // 2
    return np.pad(
        inner,
        ((above, size - inner_height - above), (before, size - inner_width - before)),
        mode="edge",
    )


def frame_whole(height: int, width: int, size: int = CROP_SIZE) -> Frame:
    """The frame that `crop_whole` fills from an image of this size."""
    inner_height, inner_width = _fit(height, width, size)
    side = max(height, width)
    pixel = side / size
    return Frame(-((size - inner_width) // 2) * pixel, -((size - inner_height) // 2) * pixel, side)


def _fit(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of the largest picture of the same proportions in a square."""
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resize(
    gray: NDArray[np.uint8],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
) -> NDArray[np.uint8]:
    """`box` of an image as `size` (height, width): the one way in which crops are resampled.

    Bilinear over all that an output pixel covers, as training resizes; without that anti-aliasing
    a crop differs by 15 of 255 on average.
    """
    height, width = size
    picture = Image.fromarray(gray).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(picture)
