"""Augmentation: changes what it is told to, nothing else, and only in training."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from training.augment import DCT, Augment
from training.config import Augmentation

ALL = Augmentation(
    rotation_degrees=15,
    shift=0.1,
    scale=0.15,
    aspect=0.1,
    brightness=0.1,
    contrast=0.25,
    gamma=0.25,
    low_resolution_share=0.5,
    blur_share=0.5,
    noise_share=0.5,
    jpeg_share=0.5,
    erasing_share=0.5,
)


def smooth_faces(count: int = 8) -> np.ndarray:
    """Smooth pictures, so that a half pixel of resampling changes little."""
    y, x = np.mgrid[:48, :48] / 48
    phases = np.arange(count)[:, None, None]
    faces = 0.5 + 0.2 * np.sin(4 * x + phases) + 0.2 * np.cos(3 * y - phases)
    return np.asarray(faces[..., None], np.float32)


def augmented(augmentation: Augmentation, images: np.ndarray, seed: int = 0) -> np.ndarray:
    layer = Augment(augmentation, seed=seed)
    return np.asarray(keras.ops.convert_to_numpy(layer(images, training=True)))


def test_outside_training_nothing_changes() -> None:
    images = smooth_faces()
    unchanged = keras.ops.convert_to_numpy(Augment(ALL)(images, training=False))
    np.testing.assert_array_equal(unchanged, images)


def test_with_everything_at_zero_nothing_changes() -> None:
    images = smooth_faces()
    np.testing.assert_allclose(augmented(Augmentation(flip=False), images), images, atol=1e-6)


def test_everything_at_once_stays_in_range_and_differs_by_image_and_seed() -> None:
    images = np.repeat(smooth_faces(1), 6, axis=0)
    first, second = augmented(ALL, images, seed=1), augmented(ALL, images, seed=2)
    assert first.shape == images.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert len({image.tobytes() for image in first}) == len(images)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, augmented(ALL, images, seed=1))


def test_flip_mirrors_about_half_of_the_images_exactly() -> None:
    images = smooth_faces(64)
    changed = augmented(Augmentation(flip=True), images)
    mirrored = np.abs(changed - images[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-5
    kept = np.abs(changed - images).max(axis=(1, 2, 3)) < 1e-5
    assert np.all(mirrored ^ kept)
    assert 16 <= mirrored.sum() <= 48


def test_shift_moves_the_picture_and_repeats_its_edge() -> None:
    ramp = np.broadcast_to(
        np.arange(48, dtype="float32")[None, None, :, None] / 47, (32, 48, 48, 1)
    )
    changed = augmented(Augmentation(flip=False, shift=0.25), np.ascontiguousarray(ramp))
    moved = (changed[:, 24, 24, 0] - ramp[0, 24, 24, 0]) * 47  # pixels that came in from the right
    assert np.abs(moved).max() <= 0.25 * 48 + 1e-3
    assert np.ptp(moved) > 8
    for image, pixels in zip(changed, moved, strict=True):
        expected = np.clip((np.arange(48) + pixels) / 47, 0, 1)
        np.testing.assert_allclose(image[10, :, 0], expected, atol=1e-4)


def test_rotation_turns_about_the_centre_by_no_more_than_asked() -> None:
    y, x = np.mgrid[:48, :48] - 23.5
    wedge = ((np.arctan2(y, x) > 0) * 1.0)[None, :, :, None].astype("float32")
    images = np.repeat(wedge, 32, axis=0)
    changed = augmented(Augmentation(flip=False, rotation_degrees=20), images)
    # The line between black and white crosses column 47 where the angle says it does.
    heights = 48 - changed[:, :, 46, 0].sum(axis=1)
    angles = np.degrees(np.arctan2(heights - 24, 22.5))
    assert np.abs(angles).max() < 21.5
    assert np.ptp(angles) > 20


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip=False, low_resolution_share=1.0),
        Augmentation(flip=False, blur_share=1.0),
    ],
    ids=["low resolution", "blur"],
)
def test_detail_is_lost_and_a_constant_stays(augmentation: Augmentation) -> None:
    checks = np.indices((48, 48)).sum(axis=0)[None, :, :, None] % 2
    changed = augmented(augmentation, np.repeat(checks, 4, axis=0).astype("float32"))
    assert np.all(changed.std(axis=(1, 2, 3)) < 0.45)
    constant = np.full((4, 48, 48, 1), 0.4, "float32")
    np.testing.assert_allclose(augmented(augmentation, constant), constant, atol=1e-4)


def test_noise_has_the_documented_strength() -> None:
    gray = np.full((64, 48, 48, 1), 0.5, "float32")
    deviations = augmented(Augmentation(flip=False, noise_share=1.0), gray).std(axis=(1, 2, 3))
    assert 0.008 < deviations.min() < 0.02
    assert 0.05 < deviations.max() < 0.065


@pytest.mark.parametrize("quality", [15, 40, 75])
def test_jpeg_does_what_a_real_encoder_does(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(layer: Augment, shape: tuple[int, ...], low: float, high: float) -> object:
        return keras.ops.full(shape, float(quality) if high > 1 else 0.0)

    monkeypatch.setattr(Augment, "_uniform", chosen)
    random = np.random.default_rng(0)
    images = smooth_faces(4) + random.normal(0, 0.05, (4, 48, 48, 1))
    pixels = (255 * images.clip(0.05, 0.95)).round().astype(np.uint8)
    changed = augmented(Augmentation(flip=False, jpeg_share=1.0), pixels.astype("float32") / 255)
    for ours, photo in zip(255 * changed, pixels, strict=True):
        file = io.BytesIO()
        Image.fromarray(photo[..., 0]).save(file, "JPEG", quality=quality)
        difference = np.abs(ours[..., 0] - np.asarray(Image.open(file), np.float32)).mean()
        # It stores whole numbers and rounds its steps; with its table turned, this would be 0.27.
        assert difference < 0.2 * np.abs(ours - photo).mean()


def test_jpeg_leaves_multiples_of_steps() -> None:
    images = smooth_faces(16) + np.random.default_rng(0).normal(0, 0.05, (16, 48, 48, 1))
    images = images.clip(0.05, 0.95).astype("float32")
    changed = augmented(Augmentation(flip=False, jpeg_share=1.0), images)
    errors = np.abs(changed - images).mean(axis=(1, 2, 3)) * 255
    assert errors.min() > 0.5
    assert errors.max() < 15
    # At the end of the chain lie cosine coefficients that are whole multiples of a step.
    block = changed[0, :8, :8, 0].astype(np.float64) * 255 - 128
    flat = np.abs(DCT @ block @ DCT.T)
    assert (flat < 1e-2).sum() > 16  # an unquantised noisy block has next to none


def test_dct_is_orthonormal() -> None:
    np.testing.assert_allclose(DCT @ DCT.T, np.eye(8), atol=1e-6)


def test_erasing_covers_one_rectangle_of_the_documented_size() -> None:
    black = np.zeros((64, 48, 48, 1), "float32")
    changed = augmented(Augmentation(flip=False, erasing_share=1.0), black)
    changed = changed != np.median(changed)  # noise never hits the background's exact value
    for image in changed[..., 0]:
        assert image.any()
        rows, columns = image.any(axis=1), image.any(axis=0)
        assert image.sum() == rows.sum() * columns.sum()  # a full rectangle
    assert changed.mean(axis=(1, 2, 3)).max() < 0.21


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip=False, shift=0.2, shift_share=0.4),
        Augmentation(flip=False, rotation_degrees=30, rotation_share=0.4),
    ],
    ids=["shift", "rotation"],
)
def test_a_share_of_the_images_is_framed_anew(augmentation: Augmentation) -> None:
    images = smooth_faces(300)
    changed = np.abs(augmented(augmentation, images) - images).max(axis=(1, 2, 3)) > 1e-3
    assert changed.mean() == pytest.approx(0.4, abs=0.1)
