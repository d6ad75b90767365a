"""Where in the face the network saw an expression: Grad-CAM, written into the ONNX graph.

Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) weighs each channel k of the last convolution
stage A by the mean gradient of a class's logit, and keeps what is positive of the sum:

    map_c = relu(sum_k alpha_kc A_k),    alpha_kc = mean_ij d logit_c / d A_kij

Assumed is a network that ends A -> global average pooling -> dense logits (dropout does nothing at
inference). There logit_c = sum_k w_kc mean_ij A_kij + b_c, so that the gradient is w_kc / (h w) at
every position of every image, and the map is a 1x1 convolution of A with a relu: exact, and no
gradient is needed at run time. Before the relu, a map sums to its logit without the bias: it tells
how much each place contributed. Networks with another head are refused, such as the paper's, whose
two dense layers on all positions have a gradient that depends on the image.
"""

from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray
from onnx import helper, numpy_helper

MAPS = "maps"  # the output's name
WEIGHTS = f"{MAPS}/weights"


def add_maps(model: onnx.ModelProto) -> None:
    """Give a graph one more output, `maps`, float32 [N, classes, h, w]: Grad-CAM of each logit.

    Raises `ValueError` where the graph does not end as this module assumes.
    """
    graph = model.graph
    stage, kernel = _head(graph)
    height, width = _size(model, stage)
    weights = np.ascontiguousarray(kernel.T[:, :, None, None]) / np.float32(height * width)
    graph.initializer.append(numpy_helper.from_array(weights, WEIGHTS))
    graph.node.append(helper.make_node("Conv", [stage, WEIGHTS], [f"{MAPS}/sum"], f"{MAPS}/sum"))
    graph.node.append(helper.make_node("Relu", [f"{MAPS}/sum"], [MAPS], f"{MAPS}/relu"))
    shape = ["batch", len(weights), height, width]
    graph.output.append(helper.make_tensor_value_info(MAPS, onnx.TensorProto.FLOAT, shape))


def gradient_maps(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same maps by the definition, with TensorFlow's gradients: float32 [N, classes, h, w].

    `network` is what `load_network` gives; the Keras backend must be TensorFlow.
    """
    import tensorflow as tf  # slow to import, and only this function needs it

    *_, scaling, inner = network.layers  # the network proper comes last
    (pooling,) = (x for x in inner.layers if isinstance(x, layers.GlobalAveragePooling2D))
    scaled = keras.Model(network.input, scaling.output)
    ends = keras.Model(inner.input, [pooling.input, inner.output["logits"]])

    batches = []
    for start in range(0, len(images), 64):
        with tf.GradientTape(persistent=True) as tape:
            stage, logits = ends(scaled(images[start : start + 64]), training=False)
            scores = tf.unstack(logits, axis=1)
        # No image's logit depends on another image, so one gradient serves a whole batch.
        gradients = [tape.gradient(score, stage) for score in scores]
        alpha = tf.reduce_mean(gradients, axis=(2, 3))  # [classes, N, channels]
        batches.append(tf.nn.relu(tf.einsum("cnk,nhwk->nchw", alpha, stage)).numpy())
    return np.concatenate(batches)


def _head(graph: onnx.GraphProto) -> tuple[str, NDArray[np.float32]]:
    """The name of the last convolution stage, and the kernel [channels, classes] of the logits."""
    makers = {output: node for node in graph.node for output in node.output}
    name, path = "logits", []
    for kinds in ("Add",), ("MatMul",), ("Squeeze", "Flatten", "Reshape"), ("GlobalAveragePool",):
        node: Any = makers.get(name)
        if node is None or node.op_type not in kinds:
            raise ValueError(
                "Grad-CAM is written for global average pooling and one dense layer: expected "
                f"{name} to come from {' or '.join(kinds)}, found {node and node.op_type}"
            )
        path.append(node)
        name = node.input[0]
    (kernel,) = (tensor for tensor in graph.initializer if tensor.name == path[1].input[1])
    return name, numpy_helper.to_array(kernel)


def _size(model: onnx.ModelProto, name: str) -> tuple[int, int]:
    """Height and width of a feature map [N, C, h, w]."""
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    (shape,) = (value.type.tensor_type.shape for value in inferred if value.name == name)
    _, _, height, width = (dimension.dim_value for dimension in shape.dim)
    return height, width
