import numpy as np
import pytest
from PIL import Image

from training.scenes import HEIGHT, SIDES, SURROUNDINGS, WIDTH, Surroundings, place

FACE = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_face_is_where_the_scene_says(surroundings: Surroundings) -> None:
    for seed in range(5):
        scene = place(FACE, surroundings, np.random.default_rng(seed))
        assert scene.image.shape == (HEIGHT, WIDTH, 3)
        assert SIDES[0] <= scene.side <= SIDES[1]
        there = scene.image[scene.y : scene.y + scene.side, scene.x : scene.x + scene.side, 0]
        size = (scene.side, scene.side)
        enlarged = Image.fromarray(FACE).resize(size, Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(there, enlarged)


def test_the_same_seed_gives_the_same_scene() -> None:
    first, second = (place(FACE, "noisy", np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)


def test_a_rolled_face_is_turned_around_its_middle() -> None:
    """A bar from the middle to the right points up a quarter turn later."""
    bar = np.zeros((48, 48), np.uint8)
    bar[20:28, 24:] = 255
    for seed in range(5):
        scene = place(bar, "plain", np.random.default_rng(seed), roll=90)
        x, y = scene.x + scene.side // 2, scene.y + scene.side // 4
        assert scene.image[y, x, 0] > 200
        assert scene.image[scene.y + scene.side // 2, scene.x + scene.side * 3 // 4, 0] < 50


def test_around_a_rolled_face_its_surroundings_go_on() -> None:
    white = np.full((48, 48), 200, np.uint8)
    scene = place(white, "noisy", np.random.default_rng(0), roll=45)
    corner = scene.image[scene.y + 1 : scene.y + 9, scene.x + 1 : scene.x + 9, 0]
    assert corner.std() > 15
    middle = scene.image[scene.y + scene.side // 2, scene.x + scene.side // 2]
    assert middle.tolist() == [200, 200, 200]


def test_a_face_larger_than_the_scene_fills_it() -> None:
    white = np.full((48, 48), 200, np.uint8)
    for seed in range(5):
        scene = place(white, "noisy", np.random.default_rng(seed), sides=(640, 900))
        assert WIDTH - scene.side <= scene.x <= 0
        assert HEIGHT - scene.side <= scene.y <= 0
        assert (scene.image == 200).all()
