"""Pictures without anything in them, where no face must be found."""

import numpy as np
from PIL import Image

from training.photos import Pixels

GRAINS = (2, 4, 8, 16, 32, 64, 128, 320)  # cells across


def texture(size: tuple[int, int], random: np.random.Generator) -> Pixels:
    """Clouds, noise, stripes, squares or dots of `size` (height, width), in any colours."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, length = random.uniform(0, np.pi), np.exp(random.uniform(np.log(4), np.log(120)))
    along = (np.cos(angle) * x + np.sin(angle) * y) / length
    across = (np.cos(angle) * y - np.sin(angle) * x) / length
    match random.integers(5):
        case 0:
            return clouds(size, int(random.choice(GRAINS)), random)
        case 1:
            pattern = np.sin(2 * np.pi * along)
        case 2:
            pattern = np.where(np.floor(along) % 2 == np.floor(across) % 2, 1.0, -1.0)
        case 3:
            radius = random.uniform(0.2, 0.45)
            pattern = np.where((along % 1 - 0.5) ** 2 + (across % 1 - 0.5) ** 2 < radius**2, 1, -1)
        case _:
            pattern = along / max(float(np.ptp(along)), 1e-6)
    colours = random.uniform(0, 255, (2, 3))
    share = (pattern[..., None] + 1) / 2
    mixed = share * colours[0] + (1 - share) * colours[1] + random.normal(0, 6, (height, width, 1))
    return np.asarray(mixed.clip(0, 255), np.uint8)


def clouds(size: tuple[int, int], grain: int, random: np.random.Generator) -> Pixels:
    """Noise of `grain` cells across, smooth between them."""
    height, width = size
    cells = random.integers(0, 256, (max(1, grain * height // width), grain, 3), np.uint8)
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))
