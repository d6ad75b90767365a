from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import SMALL
from training.batches import Batches
from training.dataset import Dataset, Split
from training.train import targets


@pytest.fixture
def training(dataset: Dataset) -> Dataset:
    return dataset.split(Split.TRAINING)


def test_an_epoch_shows_each_image_once_with_its_target(training: Dataset) -> None:
    batches = Batches(training.images, targets(training, SMALL), SMALL)
    assert len(batches) == len(training) // 8
    seen = set()
    label_of = {
        image.tobytes(): label
        for image, label in zip(training.images, training.labels, strict=True)
    }
    for step in range(len(batches)):
        images, wanted = batches[step]
        assert images.dtype == np.uint8
        for image, row in zip(images, wanted["logits"], strict=True):
            assert row.argmax() == label_of[image.tobytes()]
            seen.add(image.tobytes())
    assert len(seen) == len(batches) * 8


def test_the_order_depends_on_seed_and_epoch_alone(training: Dataset) -> None:
    first = Batches(training.images, targets(training, SMALL), SMALL)
    second = Batches(training.images, targets(training, SMALL), SMALL)
    np.testing.assert_array_equal(first[0][0], second[0][0])
    first.on_epoch_end()
    assert not np.array_equal(first[0][0], second[0][0])
    second.epoch = 1  # as a resumed run does
    np.testing.assert_array_equal(first[0][0], second[0][0])
    other = Batches(training.images, targets(training, SMALL), replace(SMALL, seed=1))
    assert not np.array_equal(other[0][0], first[0][0])


def test_class_weights_make_every_class_count_the_same(training: Dataset) -> None:
    rare = training.take((training.labels != 1) | (np.arange(len(training)) % 3 == 0))
    config = replace(SMALL, class_weights=True, batch_size=len(rare))
    _, wanted, weights = Batches(rare.images, targets(rare, config), config)[0]
    sums = wanted["logits"].T @ weights["logits"]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5)
    assert weights["logits"].mean() == pytest.approx(1)
    assert set(weights["ferplus"]) == {1}  # FER+'s head has no such classes


def test_mixup_mixes_pixels_and_targets_in_the_same_proportion(training: Dataset) -> None:
    flat = replace(
        training,
        images=np.repeat(training.labels, 48 * 48).reshape(-1, 48, 48) * np.uint8(30),
    )
    config = replace(SMALL, mixup=0.4)
    images, wanted = Batches(flat.images, targets(flat, config), config)[0]
    expected = wanted["logits"] @ (np.arange(7) * 30.0)
    np.testing.assert_allclose(images[:, 0, 0], expected, atol=0.51)
    np.testing.assert_allclose(wanted["logits"].sum(axis=1), 1, rtol=1e-5)
    assert np.all(wanted["logits"].max(axis=1) >= 0.499)


def test_oversampling_shows_every_class_equally_often_in_an_epoch_as_long(
    training: Dataset,
) -> None:
    rare = training.take((training.labels != 1) | (np.arange(len(training)) % 3 == 0))
    config = replace(SMALL, oversampling=True)
    batches = Batches(rare.images, targets(rare, config), config)
    assert len(batches) == len(rare) // 8
    shown = np.zeros(7)
    for epoch in range(40):
        batches.epoch = epoch
        shown += sum(batches[step][1]["logits"].sum(axis=0) for step in range(len(batches)))
    np.testing.assert_allclose(shown / shown.sum(), 1 / 7, atol=0.03)
