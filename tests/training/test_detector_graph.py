import keras
import numpy as np
import onnx
import pytest
from keras import layers
from numpy.typing import NDArray

from training.cells import OUTPUTS
from training.centerface import load_graph
from training.detector_graph import GraphError, convert, convert_int8
from training.systems import face_detector

RANDOM = np.random.default_rng(0)
PHOTOS = [RANDOM.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(3)]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """With statistics as of a trained one: nothing is 0 or 1 that would hide a mistake."""
    keras.utils.set_random_seed(0)
    made = face_detector.build(widths=(8, 8, 16))
    for layer in made.layers:
        if isinstance(layer, layers.BatchNormalization):
            for weight in (layer.gamma, layer.moving_variance):
                weight.assign(RANDOM.uniform(0.5, 2, weight.shape))
            for weight in (layer.beta, layer.moving_mean):
                weight.assign(RANDOM.normal(0, 0.3, weight.shape))
    return made


def said(graph: bytes, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    outputs: list[NDArray[np.float32]] = load_graph(graph).run(OUTPUTS, {"image": images})
    return outputs


def test_the_graph_computes_what_keras_does(network: keras.Model) -> None:
    graph = convert(network).SerializeToString()
    for count, height, width in ((1, 32, 64), (2, 96, 48)):
        images = RANDOM.integers(0, 256, (count, height, width, 3), np.uint8)
        cells = np.asarray(network.predict(images, verbose=0))
        scores, numbers = said(graph, images)
        assert scores.shape == (count, height * width // 64 + height * width // 256)
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-cells[..., 0])), atol=1e-5)
        np.testing.assert_allclose(numbers, cells[..., 1:], atol=1e-4)


def test_a_layer_that_is_not_known_is_refused() -> None:
    image = keras.Input((None, None, 3), dtype="uint8")
    with pytest.raises(GraphError, match="expected a layer of"):
        convert(keras.Model(image, layers.GlobalAveragePooling2D(dtype="float32")(image)))


def test_int8_takes_the_bytes_as_they_are_and_says_nearly_the_same(network: keras.Model) -> None:
    model = convert(network)
    graph = convert_int8(model, PHOTOS, 128)
    kinds = [node.op_type for node in onnx.load_from_string(graph).graph.node]
    assert "Cast" not in kinds
    assert kinds.count("Conv") == 10
    images = PHOTOS[0][None]
    for fp32, int8 in zip(
        said(model.SerializeToString(), images), said(graph, images), strict=True
    ):
        assert 0 < np.abs(fp32 - int8).max() < 0.25 * np.ptp(fp32)


def test_photos_without_black_and_white_tell_no_range(network: keras.Model) -> None:
    gray = [np.full((64, 64, 3), 100, np.uint8)]
    with pytest.raises(GraphError, match="expected pixels to be quantised as they are"):
        convert_int8(convert(network), gray, 64)
