import numpy as np

from training.textures import texture


def test_textures_have_the_size_and_differ() -> None:
    made = [texture((48, 80), np.random.default_rng(seed)) for seed in range(40)]
    assert all(each.shape == (48, 80, 3) and each.dtype == np.uint8 for each in made)
    assert len({each.tobytes() for each in made}) == 40
    assert sum(float(each.std()) > 5 for each in made) > 35


def test_the_same_seed_gives_the_same_texture() -> None:
    first, second = (texture((32, 32), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
