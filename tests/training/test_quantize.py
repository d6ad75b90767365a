"""The int8 graph of a small network: what is in bytes, what is not, and when it is released."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from training import quantize as module
from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.quantize import quantize, write_int8


def small_network() -> onnx.ModelProto:
    """uint8 [N, 48, 48] -> scaling, convolution, pooling, dense -> logits [N, 7]."""
    random = np.random.default_rng(0)
    values = {
        "scale": np.float32(1 / 255),
        "shape": np.array([-1, 1, 48, 48], np.int64),
        "kernel": random.normal(0, 0.5, (16, 1, 5, 5)).astype(np.float32),
        "bias": random.normal(0, 0.1, 16).astype(np.float32),
        "dense": random.normal(0, 4, (16, 7)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"], "scaling"),
        helper.make_node("Reshape", ["scaled", "shape"], ["shaped"], "reshape"),
        helper.make_node("Conv", ["shaped", "kernel", "bias"], ["found"], "convolution"),
        helper.make_node("Relu", ["found"], ["kept"], "relu"),
        helper.make_node("GlobalAveragePool", ["kept"], ["mean"], "pooling"),
        helper.make_node("Flatten", ["mean"], ["features"], "flatten"),
        helper.make_node("MatMul", ["features", "dense"], ["logits"], "head"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 48, 48])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 7])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(small_network(), tmp_path / "model.onnx")
    return tmp_path


def test_convolutions_are_in_bytes_for_each_channel_and_the_ends_are_not(
    folder: Path, dataset: Dataset
) -> None:
    path = folder / "model.int8.onnx"
    write_int8(folder / "model.onnx", path, dataset.images)
    model = onnx.load(path)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert weights["kernel_quantized"].dtype == np.int8
    assert weights["kernel_scale"].shape == (16,)
    assert np.abs(weights["kernel_quantized"]).max() == 64  # 2 * 255 * 64 fits into 16 bits
    assert weights["dense"].dtype == np.float32
    makers = {output: node for node in model.graph.node for output in node.output}
    (head,) = (node for node in model.graph.node if node.op_type == "MatMul")
    assert makers[head.output[0]] is head
    assert head.output[0] == "logits"
    images = dataset.images
    expected, found = (run_model(p, images)["logits"] for p in (folder / "model.onnx", path))
    np.testing.assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())
    assert (found != expected).any()


def test_both_graphs_are_measured_and_a_good_one_is_released(
    folder: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_LOSS", 1.0)
    figures = quantize(folder, dataset)
    assert figures["released"]
    assert (folder / "model.int8.onnx").exists()
    public = dataset.split(Split.PUBLIC_TEST)
    for name, file in (("fp32", "model.onnx"), ("int8", "model.int8.onnx")):
        said = run_model(folder / file, public.images)["logits"].argmax(axis=1)
        expected = (said == public.labels).mean()
        assert figures["accuracy"]["PublicTest"][name] == pytest.approx(expected, abs=1e-5)
    assert set(figures["accuracy"]) == {"PublicTest", "PrivateTest"}
    assert set(figures["speed"]["milliseconds_by_crops"]["8"]) == {"fp32", "int8"}


@pytest.mark.parametrize(
    ("fp32_wrong", "int8_wrong", "released"),
    [
        ({}, {}, True),
        ({}, {Split.PUBLIC_TEST: 2}, True),
        ({}, {Split.PUBLIC_TEST: 3}, False),
        ({Split.PUBLIC_TEST: 9}, {}, True),  # a gain is no loss
        ({}, {Split.PRIVATE_TEST: 9}, True),  # it is not looked at
    ],
)
def test_one_that_loses_too_much_on_public_test_is_not_released(
    folder: Path,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    fp32_wrong: dict[Split, int],
    int8_wrong: dict[Split, int],
    released: bool,
) -> None:
    def answers(path: Path, images: Any) -> dict[str, Any]:
        """All labels right, but for so many of the split's first."""
        (split,) = (
            split
            for split in (Split.PUBLIC_TEST, Split.PRIVATE_TEST)
            if np.array_equal(dataset.split(split).images, images)
        )
        logits = np.eye(7)[dataset.split(split).labels]
        wrong = int8_wrong if path.name == "model.int8.onnx" else fp32_wrong
        logits[: wrong.get(split, 0)] *= -1
        return {"logits": logits}

    public = len(dataset.split(Split.PUBLIC_TEST))
    monkeypatch.setattr(module, "LARGEST_LOSS", 2.5 / public)
    monkeypatch.setattr(module, "run_model", answers)
    monkeypatch.setattr(module, "measure_speed", lambda *_: {})
    assert quantize(folder, dataset)["released"] == released
    assert (folder / "model.int8.onnx").exists() == released


def test_the_largest_loss_is_the_documented_one() -> None:
    assert module.LARGEST_LOSS == 0.004
