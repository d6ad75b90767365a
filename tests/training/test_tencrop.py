"""Ten crops through a graph that always cuts the middle out."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.tencrop import ten_crop_logits


def save_probe(path: Path) -> None:
    """A graph whose "logits" are what VGGNet would see: rows and columns 4 to 43, their mean and
    the pixel in their upper left corner.
    """

    def constant(name: str, *values: int) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["pixels", "four", "end", "axes"], ["crop"]),
        helper.make_node("ReduceMean", ["crop"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["crop", "zero", "one", "axes"], ["corner"]),
        helper.make_node("ReduceMean", ["corner"], ["pixel"], axes=[1, 2], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["mean2"]),
        helper.make_node("Unsqueeze", ["pixel", "last"], ["pixel2"]),
        helper.make_node("Concat", ["mean2", "pixel2"], ["logits"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 48, 48])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [
            constant("four", 4, 4),
            constant("end", 44, 44),
            constant("axes", 1, 2),
            constant("zero", 0, 0),
            constant("one", 1, 1),
            constant("last", 1),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_the_crops_are_the_corners_and_the_middle_also_mirrored(tmp_path: Path) -> None:
    save_probe(tmp_path / "probe.onnx")
    image = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    crops = [
        view[:, top : top + 40, left : left + 40]
        for view in (image, image[:, :, ::-1])
        for top, left in ((0, 0), (0, 8), (8, 0), (8, 8), (4, 4))
    ]
    expected = np.mean(
        [np.stack([crop.mean(axis=(1, 2)), crop[:, 0, 0]], axis=1) for crop in crops], axis=0
    )
    found = ten_crop_logits(tmp_path / "probe.onnx", image)
    np.testing.assert_allclose(found, expected, atol=0.01)
