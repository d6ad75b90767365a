"""A released network as Keras layers again, to learn from or to go on training.

A run's checkpoint is large and stays where it was made; what is released is what everyone has. Its
graph holds convolutions with batch normalisation folded in, so each layer gets a normalisation that
undoes nothing of it: on a sample of images the one with these very statistics, and so a network
that also behaves as released while it trains.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray
from onnx import numpy_helper

from training.dataset import Dataset, Split
from training.prior import log_shares

GRAPH = "model.onnx"
SAMPLE = 1024  # Training images whose statistics become batch normalisation's


class ReleasedError(ValueError):
    """The graph is not that of the network which should get its weights."""


def is_released(folder: Path) -> bool:
    """Whether it is a released model's folder, rather than a run's."""
    return (folder / GRAPH).is_file()


def load_released(network: keras.Model, folder: Path, dataset: Dataset) -> None:
    """Give `network`, of `training.systems.mien`, what the released graph in `folder` has learnt.

    Logit adjustment, which a release adds to the last bias, is taken out again. Raises
    `ReleasedError` where the graph has another shape.
    """
    model = onnx.load(folder / GRAPH)
    weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    training = dataset.split(Split.TRAINING)
    reader = _Reader(model, weights)
    tensors = {id(network.input): reader.pixels()}
    for layer in network.layers[1:]:
        before = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [tensors[id(tensor)] for tensor in before]
        tensors[id(layer.output)] = reader.read(layer, inputs)
    adjustment = json.loads((folder / "metrics.json").read_text())["adjustment"]
    bias = network.get_layer("logits").bias
    bias.assign(bias + adjustment["strength"] * log_shares(training.labels, bias.shape[0]))
    step = max(1, len(training.images) // SAMPLE)
    _normalise(network, reader.biases, training.images[::step][:SAMPLE])


class _Reader:
    """Finds, for each layer of Keras, the nodes of the graph that read the same tensors."""

    def __init__(self, model: onnx.ModelProto, weights: dict[str, NDArray[Any]]) -> None:
        self._nodes, self._weights = list(model.graph.node), weights
        self.biases: dict[str, NDArray[Any]] = {}  # of convolutions, by the names of the layers

    def pixels(self) -> str:
        """What the first convolution reads."""
        name: str = next(node.input[0] for node in self._nodes if node.op_type == "Conv")
        return name

    def read(self, layer: keras.Layer, inputs: list[str]) -> str:
        """Fill the layer's weights; returns the tensor of the graph that it gives."""
        match layer:
            case layers.Conv2D():
                return self._convolution(layer, inputs[0])
            case layers.BatchNormalization() | layers.Dropout():
                return inputs[0]
            case layers.ReLU():
                return self._follow("Relu", inputs)
            case layers.Add():
                return self._follow("Add", inputs)
            case layers.GlobalAveragePooling2D():
                return self._follow("Squeeze", [self._follow("GlobalAveragePool", inputs)])
            case layers.Dense():
                return self._dense(layer, inputs[0])
        raise ReleasedError(f"expected a layer of training.systems.mien, found {layer}")

    def _convolution(self, layer: layers.Conv2D, source: str) -> str:
        shape = tuple(layer.kernel.shape)
        for node in self._nodes:
            if node.op_type == "Conv" and node.input[0] == source:
                kernel = self._weights[node.input[1]].transpose(2, 3, 1, 0)
                if kernel.shape == shape:
                    layer.kernel.assign(kernel)
                    self.biases[layer.name] = self._weights[node.input[2]]
                    output: str = node.output[0]
                    return output
        raise ReleasedError(f"{layer.name}: expected a kernel of {shape} on {source}, found none")

    def _dense(self, layer: layers.Dense, source: str) -> str:
        for node in self._nodes:
            if node.op_type == "MatMul" and node.input[0] == source:
                kernel = self._weights[node.input[1]]
                if kernel.shape == tuple(layer.kernel.shape):
                    (add,) = (n for n in self._nodes if node.output[0] in n.input)
                    layer.kernel.assign(kernel)
                    layer.bias.assign(self._weights[add.input[1]])
                    output: str = add.output[0]
                    return output
        raise ReleasedError(f"{layer.name}: expected {layer.kernel.shape} on {source}, found none")

    def _follow(self, kind: str, inputs: list[str]) -> str:
        for node in self._nodes:
            if node.op_type == kind and set(inputs) <= set(node.input):
                output: str = node.output[0]
                return output
        raise ReleasedError(f"expected {kind} of {inputs} in the graph, found none")


def _normalise(
    network: keras.Model, biases: dict[str, NDArray[Any]], images: NDArray[np.uint8]
) -> None:
    """Batch normalisation with the sample's statistics, changing nothing of what comes out.

    Layer after layer: what reaches one is right once those before it are.
    """
    pixels = images[..., None].astype(np.float32) / 255
    for convolution in [each for each in network.layers if isinstance(each, layers.Conv2D)]:
        seen = keras.Model(network.input, convolution.output).predict(
            pixels, batch_size=256, verbose=0
        )
        mean, variance = seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))
        (norm,) = (
            node.operation
            for node in convolution._outbound_nodes
            if isinstance(node.operation, layers.BatchNormalization)
        )
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(np.sqrt(variance + norm.epsilon))
        norm.beta.assign(biases[convolution.name] + mean)
