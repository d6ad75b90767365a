"""A graph that raises, or never ends, on one certain crop: real inference, gone wrong."""

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from service.settings import Settings
from tests.service.graphs import LABELS, SIZE, weights, write_model
from tests.service.test_server import Process, stopped

RAISES, HANGS = 255, 254  # of the first pixel


def graph() -> onnx.ModelProto:
    """[N, 48, 48] -> logits [N, 7] and maps [N, 7, 1, 1], a linear map of the pixels.

    A crop whose first pixel is `RAISES` looks up what is not in a table of 255 numbers; one whose
    first pixel is `HANGS` makes a loop go round for hours.
    """
    step = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on_in"], ["go_on"]),
            helper.make_node("Add", ["sum_in", "zero"], ["sum"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_in", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("Slice", ["image", "begin", "end", "axes"], ["corner"]),
        helper.make_node("Cast", ["corner"], ["first"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "first"], ["looked_up"]),
        helper.make_node("ReduceSum", ["looked_up"], ["found"], keepdims=0),
        helper.make_node("Equal", ["first", "hangs"], ["hanging"]),
        helper.make_node("Cast", ["hanging"], ["hangings"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["hangings"], ["any_hanging"], keepdims=0),
        helper.make_node("Mul", ["any_hanging", "hours"], ["rounds"]),
        helper.make_node("Loop", ["rounds", "yes", "found"], ["looped"], body=step),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "looped"], ["logits"]),
        helper.make_node("Unsqueeze", ["logits", "last"], ["maps"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "begin": np.zeros(2, np.int64),
        "end": np.ones(2, np.int64),
        "axes": np.array([1, 2], np.int64),
        "table": np.zeros(255, np.float32),
        "hangs": np.array(HANGS, np.int64),
        "hours": np.array(10**12, np.int64),
        "yes": np.array(True),
        "zero": np.array(0, np.float32),
        "weights": weights(len(LABELS)),
        "last": np.array([2, 3], np.int64),
    }
    made = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "K"]),
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", "K", 1, 1]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def crop(first: int) -> bytes:
    """A gray PNG, every pixel of which reaches the graph as it is."""
    pixels = np.full((SIZE, SIZE), 100, np.uint8)
    pixels[0, 0] = first
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def models(tmp_path: Path, models_dir: Path) -> Path:
    """The released detector, and a bad expression model in the other's place."""
    settings = Settings()
    detector = models_dir / settings.detector_model
    (tmp_path / settings.detector_model).symlink_to(detector, target_is_directory=True)
    write_model(tmp_path / settings.expression_model, graph(), {}, outputs=["logits", "maps"])
    return tmp_path


@pytest.fixture
def service(models: Path) -> Iterator[Process]:
    # Batches of one: what fails, fails alone.
    with Process(
        models_dir=models, threads=2, max_batch_size=1, deadline_s=2, drain_delay_s=0
    ) as process:
        yield process.ready()


def ask(service: Process, first: int) -> tuple[int, str | None]:
    answer, body = service.ask("POST", "/predict?detect=false", crop(first))
    return answer.status, json.loads(body).get("code")


def test_a_run_that_raises_fails_its_own_callers_only(service: Process) -> None:
    answers = [ask(service, first) for first in (0, RAISES, 1) * 5]
    ready, _ = service.ask("GET", "/health/ready")
    status = stopped(service)

    assert answers == [(200, None), (500, "inference_failed"), (200, None)] * 5
    assert (ready.status, status) == (200, 0)
    assert service.text.count("A batch of 1 failed.") == 5


def test_a_run_that_hangs_costs_its_thread_and_no_other_request(service: Process) -> None:
    hanging = ask(service, HANGS)
    others = [ask(service, first) for first in range(20)]
    # With the second one gone as well, deadlines and probes still work.
    second, next_one = ask(service, HANGS), ask(service, 0)
    live, _ = service.ask("GET", "/health/live")
    service.send(signal.SIGTERM)
    status = service.wait()

    assert hanging == second == next_one == (504, "deadline_exceeded")
    assert others == [(200, None)] * 20
    assert live.status == 200
    assert status == 0
