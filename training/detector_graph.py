"""Our detector as ONNX graphs, written layer by layer from the Keras network.

    image    uint8 [N, H, W, 3], RGB, H and W multiples of 16
    scores   float32 [N, cells], 0..1
    numbers  float32 [N, cells, 14], see training.cells

Batch normalisation and the scaling of the pixels become part of the convolutions. A converter would
have left a dozen small nodes for each enlarged or dilated map, on every one of which int8 stops.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers, ops
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.cells import OUTPUTS
from training.detector_int8 import quantize
from training.photos import Pixels
from training.quantize import FP32, INT8
from training.systems.face_detector import NUMBERS

OPSET, IR_VERSION = 17, 8
INT8_NEEDS = "avx2"  # of a CPU: weights of seven bits saturate nowhere
HEADS = "head"  # what the names of the layers begin with that stay in float32


class GraphError(ValueError):
    """The network has a layer, or the graph a node, that is not expected there."""


class _Writer:
    """The nodes and weights of a graph; tensors have the names of the layers that make them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def convolution(
        self,
        layer: layers.Conv2D,
        scale: NDArray[np.float64] | float,
        shift: NDArray[np.float64],
        inputs: str,
        output: str,
    ) -> str:
        """A Keras convolution whose output is multiplied and added to, as one node."""
        kernel = ops.convert_to_numpy(layer.kernel).astype(np.float64) * scale
        names = [
            inputs,
            self.constant(f"{output}_kernel", kernel.transpose(3, 2, 0, 1).astype(np.float32)),
            self.constant(f"{output}_bias", shift.astype(np.float32)),
        ]
        size, stride, dilation = (
            sides[0] for sides in (layer.kernel_size, layer.strides, layer.dilation_rate)
        )
        # "same" on sides that the stride divides.
        padding = max(0, dilation * (size - 1) + 1 - stride)
        before = padding // 2
        return self.node(
            "Conv",
            names,
            output,
            kernel_shape=[size, size],
            strides=[stride, stride],
            dilations=[dilation, dilation],
            pads=[before, before, padding - before, padding - before],
        )


def convert(network: keras.Model) -> onnx.ModelProto:
    """The float32 graph. Raises `GraphError` at a layer that it does not know."""
    writer = _Writer()
    nchw = writer.node("Transpose", ["image"], "image_nchw", perm=[0, 3, 1, 2])
    tensors = {id(network.input): writer.node("Cast", [nchw], "pixels", to=TensorProto.FLOAT)}
    brightness = 1.0  # what pixels are multiplied with before the first convolution
    for layer in network.layers[1:]:
        before = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [tensors.get(id(tensor), "") for tensor in before]
        name = layer.name
        match layer:
            case layers.Rescaling():
                brightness, name = layer.scale, inputs[0]
            case layers.Conv2D() if layer.use_bias:
                bias = ops.convert_to_numpy(layer.bias).astype(np.float64)
                writer.convolution(layer, 1.0, bias, inputs[0], name)
            case layers.Conv2D():
                name = inputs[0]  # batch normalisation, which follows, writes both
            case layers.BatchNormalization():
                scale, shift = _normalisation(layer)
                convolution = before[0]._keras_history.operation
                writer.convolution(convolution, scale * brightness, shift, inputs[0], name)
                brightness = 1.0
            case layers.ReLU():
                writer.node("Relu", inputs, name)
            case layers.Add():
                writer.node("Add", inputs, name)
            case layers.UpSampling2D():
                sizes = writer.constant(f"{name}_scales", np.array([1, 1, 2, 2], np.float32))
                rounding = {"mode": "nearest", "nearest_mode": "floor"}
                places = {"coordinate_transformation_mode": "asymmetric"}
                writer.node("Resize", [inputs[0], "", sizes], name, **rounding, **places)
            case layers.Reshape():
                nhwc = writer.node("Transpose", inputs, f"{name}_nhwc", perm=[0, 2, 3, 1])
                shape = writer.constant(f"{name}_shape", np.array([0, -1, NUMBERS], np.int64))
                writer.node("Reshape", [nhwc, shape], name)
            case layers.Concatenate():
                writer.node("Concat", inputs, name, axis=1)
            case _:
                raise GraphError(f"{name}: expected a layer of training.systems, found {layer}")
        tensors[id(layer.output)] = name
    _split(writer, tensors[id(network.output)])
    height, width = network.input.shape[1:3]  # None where any will do
    return _model(writer, [height or "H", width or "W"])


def _normalisation(layer: layers.BatchNormalization) -> tuple[NDArray[np.float64], ...]:
    """What batch normalisation multiplies with and adds, for each channel."""
    gamma, beta, mean, variance = (
        ops.convert_to_numpy(weight).astype(np.float64)
        for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _split(writer: _Writer, cells: str) -> None:
    widths = writer.constant("widths", np.array([1, NUMBERS - 1], np.int64))
    names = ["logits", OUTPUTS[1]]
    writer.nodes.append(helper.make_node("Split", [cells, widths], names, "split", axis=2))
    axis = writer.constant("last_axis", np.array([2], np.int64))
    writer.node("Sigmoid", [writer.node("Squeeze", ["logits", axis], "flat")], OUTPUTS[0])


def _model(writer: _Writer, size: list[int | str]) -> onnx.ModelProto:
    graph = helper.make_graph(
        writer.nodes,
        "face_detector",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *size, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "cells", *rest])
            for name, rest in zip(OUTPUTS, ([], [NUMBERS - 1]), strict=True)
        ],
        writer.weights,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def convert_int8(model: onnx.ModelProto, photos: list[Pixels], side: int) -> bytes:
    """The same in bytes, heads excepted: a byte cannot hold a place to a tenth of a cell.

    Weights have seven bits, which are enough to propose, and right and fast on every CPU.

    The pixels are bytes of scale 1 already, so that neither the cast nor its undoing is left.
    """
    heads = [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and node.name.startswith(HEADS)
    ]
    quantized = onnx.load_from_string(quantize(model, photos, side, heads, seven_bits=True))
    graph = quantized.graph
    (cast,) = (node for node in graph.node if node.op_type == "Cast")
    (to_bytes,) = (node for node in graph.node if list(node.input[:1]) == list(cast.output))
    values = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    scale, zero = (float(values[name]) for name in to_bytes.input[1:])
    if not (to_bytes.op_type == "QuantizeLinear" and abs(scale - 1) < 1e-6 and zero == 0):
        raise GraphError(
            f"expected pixels to be quantised as they are, found {to_bytes.op_type} by {scale} "
            f"around {zero}: no photo may be black and white somewhere"
        )
    renamed = {to_bytes.output[0]: cast.input[0]}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    graph.node.remove(cast)
    graph.node.remove(to_bytes)
    onnx.checker.check_model(quantized, full_check=True)
    content: bytes = quantized.SerializeToString(deterministic=True)
    return content


def write_graph(network: keras.Model, folder: Path) -> onnx.ModelProto:
    """model.onnx, which is returned."""
    model = convert(network)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FP32).write_bytes(model.SerializeToString(deterministic=True))
    return model


def write_graphs(network: keras.Model, photos: list[Pixels], side: int, folder: Path) -> None:
    """model.onnx and model.int8.onnx; the ranges of the latter are those of the photos."""
    model = write_graph(network, folder)
    (folder / INT8).write_bytes(convert_int8(model, photos, side))
