"""Pictures of FER-2013 in larger scenes, where a detector has to find them first.

Its images are cut close around the face. What a service cuts out of a photo has to be framed alike,
and only scenes in which the true frame is known can tell whether it is.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

# What lies around the face. Reflecting the picture itself would show a second face.
Surroundings = Literal["plain", "noisy", "blurred"]
SURROUNDINGS: tuple[Surroundings, ...] = get_args(Surroundings)

HEIGHT, WIDTH = 480, 640
SMALLEST, LARGEST = 96, 400  # pixels a side of the frames


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture in a scene: `image` is (480, 640, 3) uint8; `x`, `y` and `side` are its frame."""

    image: NDArray[np.uint8]
    surroundings: Surroundings
    x: int
    y: int
    side: int


def place(
    face: NDArray[np.uint8], surroundings: Surroundings, random: np.random.Generator
) -> Scene:
    """A (48, 48) gray picture somewhere in a scene, every doubling of its size equally likely."""
    side = round(float(np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST)))))
    x, y = int(random.integers(WIDTH - side + 1)), int(random.integers(HEIGHT - side + 1))
    scene = _surroundings(face, surroundings, random)
    enlarged = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    scene.paste(enlarged, (x, y))
    return Scene(np.asarray(scene.convert("RGB")), surroundings, x, y, side)


def _surroundings(
    face: NDArray[np.uint8], kind: Surroundings, random: np.random.Generator
) -> Image.Image:
    match kind:
        case "plain":
            return Image.new("L", (WIDTH, HEIGHT), int(face.mean()))
        case "noisy":
            noise = random.normal(128, 25, (HEIGHT, WIDTH)).clip(0, 255)
            return Image.fromarray(noise.astype(np.uint8))
        case "blurred":
            whole = Image.fromarray(face).resize((WIDTH, HEIGHT))
            return whole.filter(ImageFilter.GaussianBlur(60))
