"""The service's own steps, one after the other in one thread, with nothing around them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.classifier import ExpressionClassifier
from service.detector import load_detector
from service.faces import Face, crop_face, crop_whole
from service.images import ImageLimits, decode_image, to_gray
from service.memory import keep_memory
from service.session import load_session


class BarePipeline:
    """Analyses images. Any number of threads may use it at once.

    Imports nothing of the service that speaks HTTP, so that other servers can run it too.
    """

    def __init__(self, expression: Path, detector: Path) -> None:
        """Two model directories, with the graphs that the service would choose on this CPU.

        The process keeps memory as the service does.
        """
        keep_memory()
        self.detector_session, self.detector = load_detector(detector, precision="auto")
        self.classifier = ExpressionClassifier(load_session(expression, precision="auto"))

    def analyze(
        self, images: Sequence[bytes], *, detect: bool = True
    ) -> list[list[dict[str, Any]]]:
        """The faces of each image; the crops of all of them are one batch.

        Without `detect` an image is one face.
        """
        found = [self._prepare(image, detect) for image in images]
        crops = [crop for faces in found for _, crop in faces]
        rows = iter(self.classifier.predict(np.stack(crops)).tolist() if crops else ())
        return [[self._answer(face, next(rows)) for face, _ in faces] for faces in found]

    def _prepare(self, image: bytes, detect: bool) -> list[tuple[Face | None, NDArray[np.uint8]]]:
        pixels = decode_image(image, ImageLimits()).pixels
        if not detect:
            return [(None, crop_whole(to_gray(pixels)))]
        framing = self.detector.framing
        return [
            (face, crop_face(pixels, face.box, framing, turns=face.turns, roll=face.roll))
            for face in self.detector.detect(pixels)
        ]

    def _answer(self, face: Face | None, row: list[float]) -> dict[str, Any]:
        emotion = dict(zip(self.classifier.labels, row, strict=True))
        if face is None:
            return {"emotion": emotion}
        box = face.box.tolist()
        return {"box": box, "landmarks": face.landmarks.tolist(), "emotion": emotion}
