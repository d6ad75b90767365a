"""How fast graphs run on one thread, beside the most that the same thread can do in float32.

Times are CPU time of the thread that runs, so that what other programs do meanwhile counts as
little as possible; on an idle machine it is the time that a caller waits.
"""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

CROPS = (1, 8)  # an idle service's batch, and a busy one's
MATRIX = 768  # side of the matrices whose product shows the peak


def measure_speed(
    graphs: Mapping[str, Path],
    outputs: Sequence[str],
    runs: int = 100,
    crops: Sequence[int] = CROPS,
) -> dict[str, Any]:
    """Median milliseconds of each graph (uint8 [N, 48, 48]) by crops in a batch; JSON-ready.

    The graphs take turns, so that all of them meet the machine in the same moods.
    """
    sessions = {name: _session(path) for name, path in graphs.items()}
    random = np.random.default_rng(0)
    milliseconds: dict[str, dict[str, float]] = {}
    peak = _matmul_gigaflops()
    for batch in crops:
        images = random.integers(0, 256, (batch, 48, 48), np.uint8)
        calls = {
            name: partial(session.run, outputs, {"image": images})
            for name, session in sessions.items()
        }
        rounds = [[_seconds(call) for call in calls.values()] for _ in range(runs)]
        medians = np.median(rounds, axis=0) * 1000
        milliseconds[str(batch)] = dict(zip(calls, np.round(medians, 3).tolist(), strict=True))
    return {
        "cpu": _cpu(),
        "threads": 1,
        "runs": runs,
        "float32_matmul_gigaflops": round(max(peak, _matmul_gigaflops()), 1),
        "milliseconds_by_crops": milliseconds,
    }


def _matmul_gigaflops(runs: int = 10) -> float:
    """Of the quickest product of two square matrices in ONNX Runtime, as the graphs run in it."""
    shape = [MATRIX, MATRIX]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["product"])],
        "peak",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("a", "b")],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, shape)],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = _session(model.SerializeToString())
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    multiply = partial(session.run, None, {"a": matrix, "b": matrix})
    quickest = min(_seconds(multiply) for _ in range(runs))
    return 2 * MATRIX**3 / quickest / 1e9


def _session(graph: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _seconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def _cpu() -> str:
    """What the CPU calls itself, where Linux tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
