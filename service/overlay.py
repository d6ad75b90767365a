"""The picture that answers "why": a photo with heat, boxes and words laid over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.explainer import Heat
from service.images import Photo
from service.png import encode_png

# Pixels of the picture's longest side. Drawing costs by the pixel: benchmarks/explain.py tells how
# much, and fails where an explanation costs more than three predictions.
MAX_SIDE = 1024

# Dark blue, purple, orange, yellow: "plasma" by N. Smith and S. van der Walt (CC0), which is
# perceptually uniform and read alike by the colour-blind, at nine places of equal distance.
_PLASMA = "0d0887 4c02a1 7e03a8 aa2395 cc4778 e66c5c f89540 fdc527 f0f921"
_OPACITY = 0.75  # of the hottest place; the face must be seen through it

_INK = (255, 255, 255)
_SHADE = (18, 18, 24)  # what makes ink readable on any photo


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One face in pixels of the full photo, to be drawn.

    `box` is (4,) x_min, y_min, x_max, y_max, or None when the whole photo was taken as one face.
    `probability` is that of the expression whose heat it is.
    """

    heat: Heat
    box: NDArray[np.float32] | None
    probability: float

    @property
    def caption(self) -> str:
        share = f"{self.probability:.0%}" if self.probability >= 0.01 else "< 1%"
        return f"{self.heat.label} {share}"


def draw_overlay(photo: Photo, marks: Sequence[Mark], *, boxes: bool = True) -> bytes:
    """A PNG of the upright photo, its longest side at most `MAX_SIDE`, with the heat of each face.

    `boxes`: with each face's box and caption too.
    """
    factor = min(1.0, MAX_SIDE / max(photo.width, photo.height))
    size = max(1, round(photo.width * factor)), max(1, round(photo.height * factor))
    picture = Image.fromarray(photo.pixels).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=1.0
    )
    for mark in marks:
        _lay_heat(picture, mark.heat, factor)
    if boxes:
        pen = _Pen(picture)
        # The largest face comes first in a photo, and last here: what is in front stays in front.
        for mark in reversed(marks):
            pen.draw(mark, factor)
    return encode_png(np.asarray(picture))


def colour_table() -> NDArray[np.uint8]:
    """(256, 3) RGB from cold to hot."""
    colours = np.frombuffer(bytes.fromhex(_PLASMA), np.uint8).reshape(-1, 3)
    places, steps = np.linspace(0, 255, len(colours)), np.arange(256)
    channels = [np.interp(steps, places, channel) for channel in colours.T]
    return np.stack(channels, axis=1).round().astype(np.uint8)


_TABLE = colour_table()


def _lay_heat(picture: Image.Image, heat: Heat, scale: float) -> None:
    """Where it is cold the photo stays as it is; where it is hot the colour covers it."""
    left, top, side = (scale * value for value in heat.frame)
    pixels = max(1, round(side))
    steps = (
        Image.fromarray((heat.values * 255).round().astype(np.uint8))
        .resize((pixels, pixels), Image.Resampling.BILINEAR)
        .rotate(-heat.roll, Image.Resampling.BILINEAR, expand=True)
    )
    colours = steps.copy()
    colours.putpalette(_TABLE.tobytes())
    # A frame that is turned reaches out of itself, by the same on all sides.
    corner = round(left - (steps.width - pixels) / 2), round(top - (steps.height - pixels) / 2)
    picture.paste(colours.convert("RGB"), corner, steps.point(_OPACITIES))


_OPACITIES = [round(_OPACITY * 255 * (step / 255) ** 0.7) for step in range(256)]


class _Pen:
    """Draws boxes and captions, as large as suits the picture."""

    def __init__(self, picture: Image.Image) -> None:
        longest = max(picture.size)
        self._size = picture.size
        self._draw = ImageDraw.Draw(picture)
        self._line = max(1, round(longest / 320))
        self._font = _font(max(11, round(longest / 36)))

    def draw(self, mark: Mark, scale: float) -> None:
        left, top = 0.0, 0.0
        if mark.box is not None:
            left, top, right, bottom = (scale * float(edge) for edge in mark.box)
            for colour, width in ((_SHADE, self._line + 1), (_INK, self._line)):
                self._draw.rectangle((left, top, right, bottom), outline=colour, width=width)
        self._caption(mark.caption, left, top)

    def _caption(self, text: str, left: float, top: float) -> None:
        """Above the box, or inside where the picture ends."""
        padding = 2 * self._line
        _, _, width, height = self._draw.textbbox((0, 0), text, font=self._font, anchor="la")
        width, height = width + 2 * padding, height + 2 * padding
        x = max(0.0, min(left, self._size[0] - width))
        y = top - height if top >= height else top
        self._draw.rectangle((x, y, x + width, y + height), fill=_SHADE)
        self._draw.text((x + padding, y + padding), text, font=self._font, fill=_INK, anchor="la")


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
