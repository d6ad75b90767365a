"""Small ONNX graphs and model directories, made where a test needs a real one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
SIZE = 48


def weights(width: int) -> NDArray[np.float32]:
    """What `classifier` multiplies the pixels of a crop with, (SIZE * SIZE, width)."""
    values = np.random.default_rng(width).normal(0, 1e-3, (SIZE * SIZE, width))
    return values.astype(np.float32)


def classifier(
    width: int = len(LABELS),
    dtype: int = TensorProto.UINT8,
    input_name: str = "image",
    scale: float = 1.0,
) -> onnx.ModelProto:
    """[N, 48, 48] -> float32 logits [N, width], a linear map of the pixels."""
    nodes = [
        helper.make_node("Cast", [input_name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(input_name, dtype, ["N", SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "K"])],
        [numpy_helper.from_array(weights(width) * np.float32(scale), "weights")],
    )
    return _model(graph)


def means(classes: int = 3) -> onnx.ModelProto:
    """[N, H, W, 3] -> float64 "means" and float32 "halves", [N, 3]; it takes no other batch."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["shaped"]),
        helper.make_node("Cast", ["shaped"], ["means"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["shaped", "half"], ["halves"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("means", TensorProto.DOUBLE, ["N", "K"]),
            helper.make_tensor_value_info("halves", TensorProto.FLOAT, ["N", "K"]),
        ],
        [
            numpy_helper.from_array(np.array([-1, classes], np.int64), "shape"),
            numpy_helper.from_array(np.float32(0.5), "half"),
        ],
    )
    return _model(graph)


def published_detector(seed: int = 0, gain: float = 1.0) -> onnx.ModelProto:
    """A graph with the ends that CenterFace was published with, and two layers between them.

    `gain` 0 makes it blind.
    """
    random = np.random.default_rng(seed)
    heads = {"537": 1, "538": 2, "539": 2, "540": 10}
    tensors = {"stem": gain * random.normal(0, 0.01, (4, 3, 4, 4))}
    nodes = [
        helper.make_node("Conv", ["input.1", "stem"], ["1"], strides=[4, 4]),
        helper.make_node("Relu", ["1"], ["2"]),
    ]
    for name, channels in heads.items():
        tensors[f"head.{name}"] = random.normal(0, 0.1, (channels, 4, 1, 1))
        convolved = "536" if name == "537" else name
        nodes.append(helper.make_node("Conv", ["2", f"head.{name}"], [convolved]))
    nodes.append(helper.make_node("Sigmoid", ["536"], ["537"]))
    # As PyTorch 1.2 wrote it: opset 9, fixed sizes, and the weights listed as inputs too.
    graph = helper.make_graph(
        nodes,
        "published",
        [
            helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32]),
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape)
                for name, values in tensors.items()
            ),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8])
            for name, channels in heads.items()
        ],
        [
            numpy_helper.from_array(values.astype(np.float32), name)
            for name, values in tensors.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)


def config(**changes: Any) -> dict[str, Any]:
    """The config.json of `classifier`, without checksums, and with changes."""
    return {
        "name": "expression",
        "version": "0.0.1",
        "labels": LABELS,
        "input": {
            "name": "image",
            "layout": "NHW",
            "dtype": "uint8",
            "size": (SIZE, SIZE),
            "multiple_of": 1,
            "range": (0, 255),
            "colour": "gray",
        },
        "outputs": ["logits"],
        "temperature": 1.0,
        "uncertain_below": 0.5,
        "opset": 17,
        "int8_needs": None,
        "detection": None,
        "files": {},
        "commit": "none",
        "command": "none",
        **changes,
    }


def write_model(
    folder: Path, graph: onnx.ModelProto | bytes, files: dict[str, bytes], /, **changes: Any
) -> Path:
    """A model directory: the graph, more files, their checksums, and config.json with `changes`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = graph if isinstance(graph, bytes) else graph.SerializeToString()
    contents = {"model.onnx": content, **files}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    (folder / "config.json").write_text(json.dumps(config(**{"files": checksums, **changes})))
    return folder


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
