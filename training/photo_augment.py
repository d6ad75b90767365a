"""What happens to a photo on its way: light, a camera, a file, a hand before a face."""

import math
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from training.photos import Pixels
from training.views import View

GRAY_SHARE = 0.12
BLUR_SHARE, BLUR = 0.1, (0.4, 1.6)  # pixels of standard deviation
NOISE_SHARE, NOISE = 0.12, (2.0, 16.0)
JPEG_SHARE, JPEG = 0.2, (20, 80)  # quality
COVER_SHARE, COVER = 0.12, (0.25, 0.5)  # of the faces; share of the box that is covered
SMALLEST_COVERED = 20.0  # pixels


def change(view: View, random: np.random.Generator) -> View:
    """The same view as another camera would have taken it, with some faces partly covered."""
    pixels = _cover(view, random)
    picture = Image.fromarray(pixels).point(_curves(random))
    if random.random() < GRAY_SHARE:
        picture = picture.convert("L").convert("RGB")
    if random.random() < BLUR_SHARE:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(*BLUR)))
    if random.random() < NOISE_SHARE:
        noise = random.normal(0, random.uniform(*NOISE), (*pixels.shape[:2], 1))
        noisy = np.asarray(picture) + noise.astype(np.float32)
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    if random.random() < JPEG_SHARE:
        file = BytesIO()
        picture.save(file, "JPEG", quality=int(random.integers(*JPEG)))
        picture = Image.open(file)
    return View(np.asarray(picture), view.found, view.sure)


def _curves(random: np.random.Generator) -> list[int]:
    """768 values: what becomes of each byte of red, green and blue."""
    gamma = math.exp(random.normal(0, 0.2))
    contrast, brightness = math.exp(random.normal(0, 0.15)), random.normal(0, 0.06)
    colour = np.exp(random.normal(0, 0.08, (3, 1)))
    light = np.linspace(0, 1, 256) ** gamma
    curves = ((light - 0.5) * contrast + 0.5 + brightness) * colour
    values: list[int] = (curves.clip(0, 1) * 255).round().astype(np.int64).ravel().tolist()
    return values


def _cover(view: View, random: np.random.Generator) -> Pixels:
    """One side of some faces behind a plain or patterned patch: a mask, a hand, a glass."""
    pixels = view.pixels
    for box, side in zip(view.found.boxes[view.sure], view.found.sides[view.sure], strict=True):
        if side < SMALLEST_COVERED or random.random() >= COVER_SHARE:
            continue
        x_min, y_min, x_max, y_max = (round(float(edge)) for edge in box)
        share = random.uniform(*COVER)
        match random.integers(4):
            case 0:
                y_min = round(y_max - share * (y_max - y_min))
            case 1:
                y_max = round(y_min + share * (y_max - y_min))
            case 2:
                x_min = round(x_max - share * (x_max - x_min))
            case _:
                x_max = round(x_min + share * (x_max - x_min))
        pixels = pixels.copy() if pixels is view.pixels else pixels
        patch = pixels[max(0, y_min) : max(0, y_max), max(0, x_min) : max(0, x_max)]
        patch[:] = random.integers(0, 256, 3, np.uint8)
        if random.random() < 0.5:
            patch[:] = random.integers(0, 256, patch.shape, np.uint8) // 4 + patch // 2
    return pixels
