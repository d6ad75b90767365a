"""Where the time of a photo goes: `python -m benchmarks.detect`.

CPU time of one thread, median and least of many runs, for one JPEG of 640 x 480, 1080p and 12
megapixels each: a public-domain portrait, enlarged, with the noise of a camera. Every released face
detector is measured in the same run, and compared with the oldest. `nobody` is what looking for a
face costs where there is none. Writes benchmarks/results/detect.json. Takes half a minute for each
detector.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.record import machine, record
from service import detector as detection
from service.candidates import strongest
from service.classifier import ExpressionClassifier
from service.detector import FaceDetector, load_detector
from service.faces import crop_face
from service.images import ImageLimits, decode_image
from service.session import load_session
from service.settings import Settings

ROOT = Path(__file__).parent.parent
PORTRAIT = ROOT / "tests" / "data" / "astronaut.jpg"

SIZES = {"640 x 480": (640, 480), "1080p": (1920, 1080), "12 megapixels": (4000, 3000)}
NOISE = 4  # standard deviation of the luminance: 12 megapixels become 2.4 MB, as from a phone
RUNS = 40


def load_models() -> tuple[dict[str, str], FaceDetector, ExpressionClassifier]:
    """What the service would load here: names with precision, and the two."""
    settings = Settings()
    session, detector = load_detector(
        settings.models_dir / settings.detector_model, precision="auto"
    )
    expression = load_session(settings.models_dir / settings.expression_model, precision="auto")
    names = {
        "detector": f"{settings.detector_model} {session.precision}",
        "expression": f"{settings.expression_model} {expression.precision}",
    }
    return names, detector, ExpressionClassifier(expression)


def photo(width: int, height: int) -> bytes:
    """A JPEG of quality 90. What does not fit is cut off below: no camera stretches a face."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    fitted = ImageOps.fit(portrait, (width, height), Image.Resampling.BICUBIC, centering=(0.5, 0))
    enlarged = np.asarray(fitted, np.int16)
    noise = np.random.default_rng(0).normal(0, NOISE, (height, width, 1)).round().astype(np.int16)
    file = io.BytesIO()
    Image.fromarray((enlarged + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """Median and least CPU time of this thread, in ms."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.thread_time()
        work()
        times.append(1000 * (time.thread_time() - start))
    return float(np.median(times)), min(times)


def released_detectors() -> dict[str, FaceDetector]:
    """Every face detector of the repository, as the service would load it here, oldest first."""
    detectors = {}
    for folder in sorted(Settings().models_dir.glob("face-detector-*")):
        session, detector = load_detector(folder, precision="auto")
        detectors[f"{folder.name} {session.precision}"] = detector
    return detectors


def stages(
    data: bytes, detectors: dict[str, FaceDetector], classifier: ExpressionClassifier
) -> dict[str, Any]:
    """Every step of one photo by itself, and what each detector takes in all."""
    pixels = decode_image(data, ImageLimits()).pixels
    some = next(iter(detectors.values()))
    face = max(some.detect(pixels), key=lambda found: found.score)
    crop = crop_face(pixels, face.box, some.framing)
    shared = times(
        {
            "decode": lambda: decode_image(data, ImageLimits()),
            "crop": lambda: crop_face(pixels, face.box, some.framing),
            "classify": lambda: classifier.predict(crop[None]),
        }
    )
    return {
        "bytes": len(data),
        "decoded_to": list(pixels.shape[1::-1]),
        "detectors": {
            name: with_shares({**shared, **steps(pixels, each)}) for name, each in detectors.items()
        },
    }


def with_shares(measured: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What a photo takes in all, and each step's share of it; `detect` is made of the last five."""
    total = sum(measured[step]["median_ms"] for step in ("decode", "detect", "crop", "classify"))
    return {
        "total_ms": round(total, 2),
        "steps": {
            step: {**found, "share": round(found["median_ms"] / total, 3)}
            for step, found in measured.items()
        },
    }


def steps(pixels: NDArray[np.uint8], detector: FaceDetector) -> dict[str, Any]:
    """The first look's steps, and all of `detect` with a face and without one."""
    session, config = detector._session, detector._detection
    multiple_of = session.config.input.multiple_of
    canvas, factors = detection._fit(pixels, config.input_side, multiple_of)
    outputs, size = session.run(canvas[None]), canvas.shape[:2]
    found = detector._decode(outputs, size, config)
    nobody = np.full_like(pixels, 128)
    return times(
        {
            "detect": lambda: detector.detect(pixels),
            "nobody": lambda: detector.detect(nobody),
            "resize": lambda: detection._fit(pixels, config.input_side, multiple_of),
            "graph": lambda: session.run(canvas[None]),
            "cells": lambda: detector._decode(outputs, size, config),
            "suppression": lambda: strongest(found.boxes, found.scores, config.nms_iou),
            # Of a detector that looks once: nothing.
            "second look": lambda: detector._refined(pixels, found.scaled(factors)),
        }
    )


def times(steps: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    measured = {name: cost(work) for name, work in steps.items()}
    return {
        name: {"median_ms": round(median, 2), "least_ms": round(least, 2)}
        for name, (median, least) in measured.items()
    }


def main() -> None:
    begun_on = machine()
    detectors = released_detectors()
    models, _, classifier = load_models()
    photos = {name: stages(photo(*size), detectors, classifier) for name, size in SIZES.items()}
    record("detect", begun_on, {"expression": models["expression"], "photos": photos})
    for name, found in photos.items():
        first = next(iter(found["detectors"].values()))["steps"]["detect"]["median_ms"]
        for detector, measured in found["detectors"].items():
            less = first / measured["steps"]["detect"]["median_ms"]
            print(f"{name}, {detector}: {measured['total_ms']} ms, detection 1/{less:.1f}")
            for step, times_of in measured["steps"].items():
                print(f"  {step:<12}{times_of['median_ms']:>7.2f} ms {times_of['share']:>6.1%}")


if __name__ == "__main__":
    main()
