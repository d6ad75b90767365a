"""Each network's shape and cost, as documented."""

from types import ModuleType

import keras
import numpy as np
import pytest
from skimage.feature import hog

from training.config import TrainConfig
from training.dataset import Dataset
from training.systems import (
    clcm,
    cnn,
    count_macs,
    mien,
    mobilenetv2,
    proposed,
    shufflenetv2,
    svm,
    vggnet,
)
from training.train import build_trainable


def test_mien_has_two_heads_and_stays_in_its_budget() -> None:
    network = mien.build()
    logits = network(np.zeros((2, 48, 48, 1), "float32"))
    assert {head: tuple(values.shape) for head, values in logits.items()} == {
        "logits": (2, 7),
        "ferplus": (2, 8),
    }
    assert count_macs(network) < 60e6


def test_mien_without_ferplus_has_one_head() -> None:
    assert list(mien.build(ferplus=False).output) == ["logits"]


def test_stages_halve_the_picture() -> None:
    shapes = [layer.output.shape[1] for layer in mien.build().layers if "add" in layer.name]
    assert shapes == [24, 12, 6]


def test_the_papers_network_costs_what_was_computed_for_it() -> None:
    assert count_macs(proposed.build()) / 1e6 == pytest.approx(266.3, abs=0.1)


def test_the_papers_network_has_no_second_head() -> None:
    with pytest.raises(ValueError, match="one head"):
        proposed.build(ferplus=True)


def test_macs_by_hand() -> None:
    image = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    expected = 24 * 24 * 9 * 4 + 24 * 24 * 9 * 4 + 24 * 24 * 4 * 5
    assert count_macs(keras.Model(image, x)) == expected


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(weights.shape)) for weights in network.trainable_variables)


def classifier(features: int, classes: int) -> int:
    """Parameters of a dense layer: published networks have 1,000 classes, ours have 7."""
    return (features + 1) * classes


@pytest.mark.parametrize(
    "system",
    [proposed, vggnet, cnn, clcm, mobilenetv2, shufflenetv2, svm],
    ids=lambda s: s.__name__,
)
def test_the_papers_systems_take_a_crop_and_have_one_head(system: ModuleType) -> None:
    logits = system.build()(np.zeros((2, 48, 48, 1), "float32"))
    assert {head: tuple(values.shape) for head, values in logits.items()} == {"logits": (2, 7)}
    with pytest.raises(ValueError, match="one head"):
        system.build(ferplus=True)


def test_vggnet_is_that_of_khaireddin_and_chen() -> None:
    """Their models/vgg.py at 40x40: 29.89 million parameters, 350.5 million MACs."""
    network = vggnet.build()
    assert trainable(network) / 1e6 == pytest.approx(29.89, abs=0.005)
    assert count_macs(network) / 1e6 == pytest.approx(350.5, abs=0.05)


def test_vggnet_sees_the_middle_of_the_face_only() -> None:
    network = vggnet.build()
    image = np.random.default_rng(0).random((1, 48, 48, 1), np.float32)
    expected = network.predict(image, verbose=0)["logits"]
    image[:, :4] = image[:, -4:] = image[:, :, :4] = image[:, :, -4:] = 0
    np.testing.assert_array_equal(network.predict(image, verbose=0)["logits"], expected)


def test_the_five_layer_cnn_costs_what_its_layers_cost() -> None:
    kernels = [(48, 5, 1, 32), (24, 4, 32, 32), (12, 5, 32, 64)]
    convolutions = sum(side**2 * size**2 * i * o for side, size, i, o in kernels)
    assert count_macs(cnn.build()) == convolutions + 6 * 6 * 64 * 1024 + 1024 * 7


def test_mobilenetv2_is_the_published_one_but_for_its_classes() -> None:
    """Keras documents 3,538,984 parameters with 1,000 classes (running means included)."""
    published = 3_538_984 - classifier(1280, 1000) + classifier(1280, 7)
    assert mobilenetv2.build().count_params() == published


def test_mobilenetv2_costs_a_48th_of_224_pixels() -> None:
    """300 million MACs at 224 pixels (Sandler et al., table 4); 2x2 at the end is not 1.5x1.5."""
    assert 1.0 < count_macs(mobilenetv2.build()) / (300e6 * (48 / 224) ** 2) < 1.3


def test_clcm_has_the_published_number_of_parameters() -> None:
    """Gursesli et al. give 2.3 million, and MobileNetV2's blocks, here with a gray stem."""
    network = clcm.build()
    assert network.count_params() / 1e6 == pytest.approx(2.3, abs=0.05)
    assert network.count_params() == mobilenetv2.build().count_params() - 3 * 3 * 2 * 32


def test_shufflenetv2_is_the_published_one_but_for_its_classes() -> None:
    """torchvision documents 2,278,604 trainable parameters with 1,000 classes."""
    published = 2_278_604 - classifier(1024, 1000) + classifier(1024, 7)
    assert trainable(shufflenetv2.build()) == published
    # 146 million MACs at 224 pixels (Ma et al., table 8).
    assert 1.0 < count_macs(shufflenetv2.build()) / (146e6 * (48 / 224) ** 2) < 1.3


def test_the_shuffle_takes_the_halves_in_turn() -> None:
    channels = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6)
    assert np.asarray(shufflenetv2.shuffle(channels)).ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_the_svms_features_are_scikit_images(dataset: Dataset) -> None:
    images = dataset.images[:40].astype(np.float32) / 255
    images[0] = 0.5  # no gradient at all
    images[1] = np.linspace(0, 1, 48)  # one orientation, on the border of two bins
    found = np.asarray(svm.Hog()(images[..., None]))
    expected = np.stack([hog(image, cells_per_block=(2, 2)) for image in images])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_svm_is_scikit_learns(dataset: Dataset) -> None:
    config = TrainConfig("svm", 1000, 1, "liblinear", 1.0, weight_decay=0.01)
    network = build_trainable(config)
    assert svm.fit(network, dataset.images, dataset.labels, config) >= 1
    said = network.predict(dataset.images, verbose=0)["logits"].argmax(axis=1)
    assert (said == dataset.labels).mean() > 0.9
