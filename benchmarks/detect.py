"""Where the time of a photo goes: `python -m benchmarks.detect`.

CPU time of one thread, median and least of many runs, for one JPEG of 640 x 480, 1080p and 12
megapixels each: a public-domain portrait, enlarged, with the noise of a camera. `nobody` is what
looking for a face costs where there is none. Writes benchmarks/results/detect.json. Takes half a
minute.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import machine, record
from service import detector as detection
from service.classifier import ExpressionClassifier
from service.detector import FaceDetector
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
    detector = load_session(settings.models_dir / settings.detector_model, precision="auto")
    expression = load_session(settings.models_dir / settings.expression_model, precision="auto")
    names = {
        "detector": f"{settings.detector_model} {detector.precision}",
        "expression": f"{settings.expression_model} {expression.precision}",
    }
    return names, FaceDetector(detector), ExpressionClassifier(expression)


def photo(width: int, height: int) -> bytes:
    """A JPEG of quality 90."""
    portrait = Image.open(PORTRAIT).convert("RGB")
    enlarged = np.asarray(portrait.resize((width, height), Image.Resampling.BICUBIC), np.int16)
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


def stages(data: bytes, detector: FaceDetector, classifier: ExpressionClassifier) -> dict[str, Any]:
    """Every step of one photo by itself, and detection as a whole."""
    session, config = detector._session, detector._detection
    pixels = decode_image(data, ImageLimits()).pixels
    canvas, _ = detection._fit(pixels, config.input_side, session.config.input.multiple_of)
    outputs = session.run(canvas[None])
    found = detection._decode(outputs, config)
    (face,) = detector.detect(pixels)
    crop = crop_face(pixels, face.box, detector.framing)
    steps: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_image(data, ImageLimits()),
        "resize": lambda: detection._fit(pixels, config.input_side, 32),
        "graph": lambda: session.run(canvas[None]),
        "peaks": lambda: detection._decode(outputs, config),
        "suppression": lambda: detection._strongest(found.boxes, found.scores, config.nms_iou),
        "crop": lambda: crop_face(pixels, face.box, detector.framing),
        "classify": lambda: classifier.predict(crop[None]),
    }
    measured = {name: cost(work) for name, work in steps.items()}
    total = sum(median for median, _ in measured.values())
    nobody = np.full_like(pixels, 128)
    whole = {
        "detect_ms": cost(lambda: detector.detect(pixels)),
        "nobody_ms": cost(lambda: detector.detect(nobody)),
    }
    return {
        "bytes": len(data),
        "decoded_to": list(pixels.shape[1::-1]),
        "total_ms": round(total, 2),
        **{
            name: {"median": round(median, 2), "least": round(least, 2)}
            for name, (median, least) in whole.items()
        },
        "stages": {
            name: {
                "median_ms": round(median, 2),
                "least_ms": round(least, 2),
                "share": round(median / total, 3),
            }
            for name, (median, least) in measured.items()
        },
    }


def main() -> None:
    begun_on = machine()
    models, detector, classifier = load_models()
    photos = {name: stages(photo(*size), detector, classifier) for name, size in SIZES.items()}
    record("detect", begun_on, {"models": models, "photos": photos})
    for name, found in photos.items():
        detect, nobody = found["detect_ms"]["median"], found["nobody_ms"]["median"]
        print(f"{name}: {found['total_ms']} ms; detect {detect} ms, without a face {nobody} ms")
        for step, times in found["stages"].items():
            print(f"  {step:<12}{times['median_ms']:>7.2f} ms {times['share']:>6.1%}")


if __name__ == "__main__":
    main()
