"""An encoded image in, a crop of each face out: all that is done before expressions are read.

decode -> detect -> crop, one after the other on the caller's thread.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.faces import Face, Framing, crop_face, crop_whole
from service.images import ImageLimits, Photo, decode_image, to_gray
from service.metrics import Metrics

Crop = NDArray[np.uint8]


class Detector(Protocol):
    """What finds faces; `service.detector.FaceDetector` is one."""

    @property
    def framing(self) -> Framing: ...
    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        min_face_size: float = 20.0,
        max_faces: int = 100,
        rotate: bool = False,
    ) -> list[Face]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """An image's faces, None for one that is a face itself, their crops, and when it was done.

    The photo is not in it: many may wait for their batch.
    """

    width: int
    height: int
    faces: Sequence[Face | None]
    crops: list[Crop]
    started: float
    decoded: float
    detected: float


class Sight:
    """Looks at images. Any number of threads may use it at once."""

    def __init__(self, detector: Detector, limits: ImageLimits, metrics: Metrics) -> None:
        self._detector = detector
        self._limits = limits
        self._metrics = metrics

    @property
    def framing(self) -> Framing:
        """What of a face's surroundings is in its crop."""
        return self._detector.framing

    def see(
        self, data: bytes, detect: bool, max_faces: int, min_face_size: float, rotate: bool
    ) -> tuple[Photo, Seen]:
        """Decode an image, and find its faces or, without `detect`, take all of it as one.

        Raises what `decode_image` raises.
        """
        started = time.perf_counter()
        photo = decode_image(data, self._limits)
        self._metrics.image_decoded(photo.brightness)
        faces: Sequence[Face | None]
        if detect:
            decoded = time.perf_counter()
            faces, crops = self._find(photo, max_faces, min_face_size, rotate)
            detected = time.perf_counter()
        else:
            faces, crops = [None], [crop_whole(to_gray(photo.pixels))]
            decoded = detected = time.perf_counter()
        return photo, Seen(photo.width, photo.height, faces, crops, started, decoded, detected)

    def _find(
        self, photo: Photo, max_faces: int, min_face_size: float, rotate: bool
    ) -> tuple[list[Face], list[Crop]]:
        found = self._detector.detect(
            photo.pixels,
            min_face_size=min_face_size / max(photo.scale),
            max_faces=max_faces,
            rotate=rotate,
        )
        crops = [
            crop_face(photo.pixels, face.box, self.framing, turns=face.turns, roll=face.roll)
            for face in found
        ]
        return [face.scaled(photo.scale) for face in found], crops
