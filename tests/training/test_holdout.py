import numpy as np

from training.holdout import hold_back, source, thumbnail

RANDOM = np.random.default_rng(0)
NAMES = [f"{kind}_{number}.jpg" for kind in ("street", "sports") for number in range(600)]
PICTURES = np.stack(
    [thumbnail(RANDOM.integers(0, 256, (24, 32, 3), np.uint8)) for _ in range(len(NAMES))]
)


def test_a_tenth_of_every_source_is_held_back() -> None:
    held = hold_back(NAMES, PICTURES)
    for kind in ("street", "sports"):
        share = np.mean(
            [each for each, name in zip(held, NAMES, strict=True) if source(name) == kind]
        )
        assert 0.07 < share < 0.13


def test_near_duplicates_stay_together() -> None:
    photo = RANDOM.integers(0, 200, (60, 80, 3), np.uint8)
    brighter = (photo * 1.2).astype(np.uint8)
    alike = np.stack([thumbnail(photo), thumbnail(brighter)])
    assert alike[0] @ alike[1] > 0.99
    pictures = PICTURES.copy()
    pictures[:200] = alike[0]
    pictures[200:400] = alike[1]
    held = hold_back(NAMES, pictures)
    assert len(set(held[:400].tolist())) == 1


def test_more_photos_do_not_move_the_others() -> None:
    np.testing.assert_array_equal(
        hold_back(NAMES, PICTURES)[:700], hold_back(NAMES[:700], PICTURES[:700])
    )


def test_the_source_is_the_folder_or_the_prefix() -> None:
    assert source("holiday/beach_1.jpg") == "holiday"
    assert source("street_1.jpg") == "street"
    assert source("IMG1234.jpg") == "unnamed"  # a photo's own name is not told
