"""Each corruption does what it says, the same way each time; crops move where they are told."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.training.test_quantize import small_network
from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.robustness import (
    CORRUPTIONS,
    SCALES,
    SHIFTS,
    Pixels,
    corrupted,
    measure_robustness,
    scaled,
    shifted,
)


def faces(count: int = 6) -> Pixels:
    """Smooth pictures with some texture, of middling brightness."""
    y, x = np.mgrid[:48, :48]
    random = np.random.default_rng(1)
    phases = random.uniform(0, 6, (count, 1, 1))
    waves = 50 * np.sin(x / 6 + phases) * np.cos(y / 5) + 20 * np.sin(x * y / 9)
    return np.asarray((waves + 120 + phases).clip(0, 255), np.uint8)


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_there_are_ten() -> None:
    assert len(CORRUPTIONS) == 10


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_further_from_the_picture(name: str) -> None:
    images = faces()
    distances = [distance(corrupted(images, name, severity), images) for severity in range(1, 6)]
    assert distances[0] > 0
    assert distances == sorted(distances)
    changed = corrupted(images, name, 5)
    assert changed.dtype == np.uint8
    assert changed.shape == images.shape


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_again(name: str) -> None:
    images = faces()
    once = corrupted(images, name, 3)
    np.testing.assert_array_equal(corrupted(images, name, 3), once)
    np.testing.assert_array_equal(corrupted(images[:2], name, 3), once[:2])


def test_noise_differs_from_image_to_image() -> None:
    gray = np.full((2, 48, 48), 128, np.uint8)
    one, other = corrupted(gray, "gaussian_noise", 3).astype(float)
    assert np.std(one - 128) == pytest.approx(0.1 * 255, rel=0.1)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


def test_shot_noise_grows_with_the_root_of_the_light() -> None:
    dark, light = (np.full((4, 48, 48), value, np.uint8) for value in (25, 100))
    deviations = [np.std(corrupted(gray, "shot_noise", 2).astype(float)) for gray in (dark, light)]
    assert deviations[1] / deviations[0] == pytest.approx(2, rel=0.1)


def test_motion_blurs_along_one_line_only() -> None:
    dot = np.zeros((1, 48, 48), np.uint8)
    dot[0, 24, 24] = 255
    y, x = np.nonzero(corrupted(dot, "motion_blur", 5)[0] > 4)
    spread = np.linalg.eigvalsh(np.cov(np.stack([x, y])))
    assert spread[1] > 5 * spread[0]


def test_an_occlusion_covers_its_share_and_nothing_else() -> None:
    images = faces()
    changed = (corrupted(images, "occlusion", 3) != images).mean(axis=(1, 2))
    np.testing.assert_allclose(changed, 0.2, atol=0.03)


def test_a_shifted_crop_leaves_the_face_on_the_other_side() -> None:
    dot = np.zeros((40, 48, 48), np.uint8)
    dot[:, 23:25, 23:25] = 255
    moved = shifted(dot, 0.2)
    places = [np.argwhere(image > 60).mean(axis=0) - 23.5 for image in moved]
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 0.2 * 48, atol=0.6)
    assert np.abs(np.mean(places, axis=0)).max() < 5  # in all directions


@pytest.mark.parametrize("factor", SCALES)
def test_a_larger_crop_shows_a_smaller_face(factor: float) -> None:
    square = np.zeros((1, 48, 48), np.uint8)
    square[0, 14:34, 14:34] = 255
    side = np.sqrt((scaled(square, factor)[0] / 255).sum())
    assert side == pytest.approx(20 / factor, abs=0.3)


def test_outside_a_crop_the_edge_goes_on() -> None:
    gray = np.full((1, 48, 48), 77, np.uint8)
    for moved in (shifted(gray, 0.2), scaled(gray, 1.2)):
        assert (moved == 77).all()


def test_every_figure_is_an_accuracy_on_public_test(dataset: Dataset, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    onnx.save(small_network(), graph)
    figures = measure_robustness(graph, dataset)
    public = dataset.split(Split.PUBLIC_TEST)

    def accuracy(images: Pixels) -> float:
        said = run_model(graph, images)["logits"].argmax(axis=1)
        return float((said == public.labels).mean())

    assert (figures["split"], figures["images"]) == ("PublicTest", len(public))
    assert figures["clean"] == pytest.approx(accuracy(public.images), abs=1e-5)
    found = figures["corruptions"]["contrast"]["4"]
    assert found == pytest.approx(accuracy(corrupted(public.images, "contrast", 4)), abs=1e-5)
    assert set(figures["corruptions"]) == set(CORRUPTIONS)
    assert list(figures["shift"]) == [str(share) for share in SHIFTS]
    assert figures["scale"]["0.8"] == pytest.approx(accuracy(scaled(public.images, 0.8)), abs=1e-5)
