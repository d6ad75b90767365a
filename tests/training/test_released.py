"""What was released comes back as a network that says the same, and can go on training."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import ops
from onnx import numpy_helper

from training.configs.expression_1_0 import config
from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.export import golden_images
from training.prior import log_shares
from training.released import ReleasedError, is_released, load_released
from training.systems import build_system
from training.systems.mien import build
from training.train import train

RELEASE = Path("models/expression-1.0.0")
IMAGES = golden_images()
PIXELS = IMAGES[..., None].astype(np.float32) / 255


@pytest.fixture(scope="module")
def network(dataset: Dataset) -> keras.Model:
    keras.mixed_precision.set_global_policy("float32")
    network = build_system(config)
    load_released(network, RELEASE, dataset)
    return network


def test_it_says_what_was_released_but_for_the_adjustment(
    network: keras.Model, dataset: Dataset
) -> None:
    expected = run_model(RELEASE / "model.onnx", IMAGES)
    found = network.predict(PIXELS, verbose=0)
    np.testing.assert_allclose(found["ferplus"], expected["ferplus"], atol=1e-4)
    strength = json.loads((RELEASE / "metrics.json").read_text())["adjustment"]["strength"]
    shift = strength * log_shares(dataset.split(Split.TRAINING).labels, 7)
    np.testing.assert_allclose(found["logits"] - shift, expected["logits"], atol=1e-4)


def test_its_normalisation_has_the_statistics_of_the_images(
    network: keras.Model, dataset: Dataset
) -> None:
    """On the images that it was measured with, training mode normalises as inference does."""
    images = dataset.split(Split.TRAINING).images
    pixels = images[..., None].astype(np.float32) / 255
    features = [
        ops.convert_to_numpy(
            keras.Model(network.input, network.get_layer("features").output)(
                pixels, training=training
            )
        )
        for training in (False, True)
    ]
    np.testing.assert_allclose(features[1], features[0], atol=1e-2)


def test_training_begins_with_it_and_with_it_as_teacher(dataset: Dataset, tmp_path: Path) -> None:
    """A step of no length leaves all that was learnt as it was released."""
    still = replace(config, epochs=1, warmup_epochs=0.0, learning_rate=0.0, batch_size=28)
    born_again = replace(still, start=str(RELEASE), teachers=(str(RELEASE),), teacher_weight=0.5)
    trained = train(replace(born_again, precision="float32"), dataset, tmp_path)
    found = trained.layers[-1].get_layer("logits").kernel
    graph = onnx.load(RELEASE / "model.onnx")
    kernels = [numpy_helper.to_array(each) for each in graph.graph.initializer]
    assert any(np.array_equal(ops.convert_to_numpy(found), kernel) for kernel in kernels)


@pytest.mark.parametrize("widths", [(48, 96, 160), (32, 96, 224)])
def test_another_shape_is_refused(widths: tuple[int, ...], dataset: Dataset) -> None:
    with pytest.raises(ReleasedError, match=r"expected a kernel of \(.*found none"):
        load_released(build(widths=widths, depths=(1, 2, 2)), RELEASE, dataset)


def test_what_is_released(tmp_path: Path) -> None:
    assert is_released(RELEASE)
    assert not is_released(tmp_path)
