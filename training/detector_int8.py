"""The face detector's int8 graph: half the time on CPUs with VNNI, if it still sees the same faces.

Static quantisation by ONNX Runtime: activations U8 by their range over photos, weights S8 for each
channel. Photos are needed for it, since on others the ranges would be wrong; none is kept. Weights
of seven bits, as training.quantize has them, would spare it the need of VNNI, but they miss faces:
with them CenterFace missed 3.1 % of 8,427 scenes.

How steadily a face is framed shows only in what is read from the crop. On 4,215 scenes of the
closed loop 1.70 points were lost with float32, 2.39 with ranges that hold every value and heads in
bytes, and 1.75 with ranges that leave the rarest values out and heads in float32.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from tqdm import tqdm

from training.canvas import show
from training.centerface import MULTIPLE_OF, find
from training.found import iou
from training.photos import Pixels, open_photos

INT8_NEEDS = "vnni"  # of a CPU
CALIBRATION_PHOTOS, GATE_PHOTOS = 64, 150
CALIBRATION_PERCENTILE = 99.998  # of the values of an activation lie in its range

# Whoever finds a face with a score this far above the threshold is asked whether the other finds it
# at all; at the threshold itself rounding decides.
MARGIN = 0.1
LEAST_AGREEMENT = 0.98
SAME = 0.5  # least intersection over union


class AgreementError(Exception):
    """The int8 graph does not see what the float32 graph sees."""


class _Canvases(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, photos: list[NDArray[np.uint8]], side: int) -> None:
        self._feeds = iter(
            [{"image": show(photo, side, MULTIPLE_OF).pixels[None]} for photo in photos]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._feeds, None)


class Int8(NamedTuple):
    """The graph, and how it compares with the float32 one."""

    graph: bytes
    figures: dict[str, Any]


def make_int8(model: onnx.ModelProto, photos: Path, side: int, threshold: float) -> Int8:
    """Quantise by some photos of a folder or .zip, judge by others; raises `AgreementError`."""
    calibration, held_back = read_photos(photos)
    calibration = _of_one_size(calibration)
    graph = quantize(model, calibration, side, _heads(model), CALIBRATION_PERCENTILE)
    figures = compare(model.SerializeToString(), graph, held_back, side, threshold)
    return Int8(graph, {"calibration_photos": len(calibration), **figures})


def read_photos(path: Path) -> tuple[list[Pixels], list[Pixels]]:
    """From a folder or .zip: some photos to calibrate with, and others to judge the result by."""
    photos = open_photos(path)
    chosen = np.random.default_rng(0).permutation(photos.names)[: CALIBRATION_PHOTOS + GATE_PHOTOS]
    images = [photos.read(str(name)) for name in chosen]
    return images[:CALIBRATION_PHOTOS], images[CALIBRATION_PHOTOS:]


def _of_one_size(photos: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Those of the commonest size: histograms of activations take one shape only."""
    ((shape, _),) = Counter(photo.shape for photo in photos).most_common(1)
    return [photo for photo in photos if photo.shape == shape]


def _heads(model: onnx.ModelProto) -> list[str]:
    """The names of the last convolutions, which give the outputs themselves."""
    outputs = {output.name for output in model.graph.output}
    heads = []
    for node in reversed(model.graph.node):
        if outputs.isdisjoint(node.output):
            continue
        if node.op_type == "Conv":
            heads.append(node.name)
        else:  # what an activation is computed from
            outputs.update(node.input)
    return heads


def quantize(
    model: onnx.ModelProto,
    photos: list[NDArray[np.uint8]],
    side: int,
    in_float32: Sequence[str] = (),
    percentile: float | None = None,
    seven_bits: bool = False,
) -> bytes:
    """The int8 graph; the nodes of those names stay in float32.

    So do CenterFace's two layers that enlarge the maps, at no cost. `percentile` of an activation's
    values lie in its range, without one all; with one, the photos are of one size. Weights of
    `seven_bits` need no VNNI.
    """
    method, options = CalibrationMethod.MinMax, {}
    if percentile is not None:
        method, options = CalibrationMethod.Percentile, {"CalibPercentile": percentile}
    copy = onnx.ModelProto()  # the quantiser moves its argument's weights into a file
    copy.CopyFrom(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.int8.onnx"
        quantize_static(
            copy,
            path,
            _Canvases(photos, side),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=seven_bits,
            calibrate_method=method,
            extra_options=options,
            op_types_to_quantize=["Conv", "Add", "Relu", "Resize"],
            nodes_to_exclude=list(in_float32),
        )
        return path.read_bytes()


def compare(
    fp32: bytes, int8: bytes, photos: list[NDArray[np.uint8]], side: int, threshold: float
) -> dict[str, Any]:
    """How many faces that one graph is sure of the other finds; raises `AgreementError`."""
    sure, found = {"fp32": 0, "int8": 0}, {"fp32": 0, "int8": 0}
    for photo in tqdm(photos, desc="photos", leave=False, disable=None):
        seen = {
            name: find(graph, photo, side, threshold)
            for name, graph in (("fp32", fp32), ("int8", int8))
        }
        for name, other in (("fp32", "int8"), ("int8", "fp32")):
            boxes = seen[name].boxes[seen[name].scores >= threshold + MARGIN]
            sure[name] += len(boxes)
            overlaps = iou(boxes, seen[other].boxes)
            found[name] += int((overlaps.max(axis=1, initial=0) >= SAME).sum())
    figures = {
        "photos": len(photos),
        "faces_fp32_is_sure_of": sure["fp32"],
        "of_these_int8_finds": round(found["fp32"] / max(1, sure["fp32"]), 4),
        "faces_int8_is_sure_of": sure["int8"],
        "of_these_fp32_finds": round(found["int8"] / max(1, sure["int8"]), 4),
    }
    least = min(figures["of_these_int8_finds"], figures["of_these_fp32_finds"])
    if least < LEAST_AGREEMENT:
        raise AgreementError(f"expected both to find {LEAST_AGREEMENT} of each other's: {figures}")
    return figures
