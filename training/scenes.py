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
SIDES = (96, 400)  # pixels a side of the frames, the least and the largest


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture in a scene: `image` is (480, 640, 3) uint8; `x`, `y` and `side` are its frame.

    Where the picture is rolled, they are the frame before it was turned around its middle.
    """

    image: NDArray[np.uint8]
    x: int
    y: int
    side: int


def place(
    face: NDArray[np.uint8],
    surroundings: Surroundings,
    random: np.random.Generator,
    *,
    roll: float = 0.0,
    sides: tuple[int, int] = SIDES,
) -> Scene:
    """A (48, 48) gray picture somewhere in a scene, every doubling of its size equally likely.

    `roll` turns it counter-clockwise, in degrees, as a photo shows a head that is held at an angle.
    `sides` are the least and the largest that its frame may have, in pixels; one that is larger
    than the scene fills it and reaches out.
    """
    side = round(float(np.exp(random.uniform(*np.log(sides)))))
    x, y = (
        int(random.integers(min(0, room), max(0, room) + 1))
        for room in (WIDTH - side, HEIGHT - side)
    )
    scene = _surroundings(face, surroundings, random)
    picture = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    mask = Image.new("L", picture.size, 255)
    picture, mask = (
        layer.rotate(roll, Image.Resampling.BICUBIC, expand=True) for layer in (picture, mask)
    )
    beyond = (picture.width - side) // 2  # what its corners reach out of the frame
    scene.paste(picture, (x - beyond, y - beyond), mask)
    return Scene(np.asarray(scene.convert("RGB")), x, y, side)


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
