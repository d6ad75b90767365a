import numpy as np
import pytest
from PIL import Image

from training.scenes import HEIGHT, LARGEST, SMALLEST, SURROUNDINGS, WIDTH, Surroundings, place

FACE = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_face_is_where_the_scene_says(surroundings: Surroundings) -> None:
    for seed in range(5):
        scene = place(FACE, surroundings, np.random.default_rng(seed))
        assert scene.image.shape == (HEIGHT, WIDTH, 3)
        assert SMALLEST <= scene.side <= LARGEST
        there = scene.image[scene.y : scene.y + scene.side, scene.x : scene.x + scene.side, 0]
        size = (scene.side, scene.side)
        enlarged = Image.fromarray(FACE).resize(size, Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(there, enlarged)


def test_the_same_seed_gives_the_same_scene() -> None:
    first, second = (place(FACE, "noisy", np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
