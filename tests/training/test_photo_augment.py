import numpy as np

from training.found import Found
from training.photo_augment import change
from training.views import View

BOX = np.array([[40, 30, 100, 100]], np.float32)


def view(level: int = 128) -> View:
    pixels = np.full((128, 160, 3), level, np.uint8)
    pixels[::2] += 20
    found = Found(BOX, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))
    return View(pixels, found, np.ones(1, np.bool_))


def test_another_camera_sees_the_same_faces() -> None:
    original = view()
    for seed in range(60):
        changed = change(original, np.random.default_rng(seed))
        assert changed.pixels.shape == original.pixels.shape
        assert changed.pixels.dtype == np.uint8
        assert changed.found is original.found
    np.testing.assert_array_equal(original.pixels, view().pixels)


def test_pictures_become_darker_lighter_gray_and_covered() -> None:
    changed = [change(view(), np.random.default_rng(seed)).pixels for seed in range(200)]
    levels = [float(pixels.mean()) for pixels in changed]
    assert min(levels) < 110
    assert max(levels) > 165
    colourless = [bool((pixels == pixels[..., :1]).all()) for pixels in changed]
    assert 5 < sum(colourless) < 60
    inside = [np.ptp(pixels[30:100, 40:100].mean(axis=(1, 2))[1::2]) > 30 for pixels in changed]
    assert 2 < sum(inside) < 60


def test_the_same_seed_changes_alike() -> None:
    first, second = (change(view(), np.random.default_rng(9)).pixels for _ in range(2))
    np.testing.assert_array_equal(first, second)
