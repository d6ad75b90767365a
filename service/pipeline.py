"""One image in, its faces and their expressions out: the only place where the steps are in order.

decode -> detect -> crop      one job on a worker thread
queue -> inference            one batcher entry per face
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.batcher import Answer, MicroBatcher
from service.faces import Face, Framing, crop_face, crop_whole
from service.images import ImageLimits, Photo, decode_image, to_gray
from service.metrics import Metrics

Crop = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


class Detector(Protocol):
    """What finds faces; `service.detector.FaceDetector` is one."""

    @property
    def framing(self) -> Framing: ...
    def detect(
        self, image: NDArray[np.uint8], *, min_face_size: float = 20.0, max_faces: int = 100
    ) -> list[Face]: ...


class Classifier(Protocol):
    """What reads expressions; `service.classifier.ExpressionClassifier` is one."""

    @property
    def labels(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one image went, in seconds. A step that it did not need took 0.

    `detect` is finding the faces and cutting them out. `queue` is all waiting, for a thread and
    for a batch, and `inference` the run of that batch: of the face that was answered last.
    """

    decode: float
    detect: float
    queue: float
    inference: float
    total: float

    def stages(self) -> dict[str, float]:
        """The steps that this image needed."""
        stages = {
            "decode": self.decode,
            "detect": self.detect,
            "queue": self.queue,
            "inference": self.inference,
        }
        return {stage: seconds for stage, seconds in stages.items() if seconds}


@dataclass(frozen=True, slots=True)
class FaceExpression:
    """One face, None if the whole image was taken as one, and (7,) probabilities."""

    face: Face | None
    probabilities: Probabilities


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in an image of `width` x `height` upright pixels, the largest face first."""

    width: int
    height: int
    faces: tuple[FaceExpression, ...]
    timing: Timing


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An image ready for the classifier: a crop for each face, and when each step was done."""

    width: int
    height: int
    faces: Sequence[Face | None]
    crops: list[Crop]
    started: float
    decoded: float
    detected: float


class ExpressionPipeline:
    """Analyses images. Stateless between calls; any number may run at once.

    `executor` decodes and detects, with as many threads as there are CPUs. `batcher` runs the
    classifier, and is started and stopped by whoever made it.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        batcher: MicroBatcher[Crop, Probabilities],
        executor: Executor,
        limits: ImageLimits,
        metrics: Metrics,
    ) -> None:
        self._detector = detector
        self._labels = classifier.labels
        self._batcher = batcher
        self._executor = executor
        self._limits = limits
        self._metrics = metrics

    @property
    def labels(self) -> tuple[str, ...]:
        """The expressions, in the order of every `probabilities`."""
        return self._labels

    @property
    def healthy(self) -> bool:
        """Whether images can be analysed now."""
        return self._batcher.healthy

    async def analyze(
        self,
        data: bytes,
        *,
        detect: bool = True,
        max_faces: int = 100,
        min_face_size: float = 20.0,
    ) -> Analysis:
        """Find the faces in an encoded image, or take all of it as one, and read each expression.

        Raises what `decode_image` and `MicroBatcher.submit` raise. Cancel it at any time: what has
        not begun by then will not run.
        """
        arrived = time.perf_counter()
        prepared = await asyncio.get_running_loop().run_in_executor(
            self._executor, self._prepare, data, detect, max_faces, min_face_size
        )
        answers = await self._classify(prepared.crops)
        # The face that was answered last.
        queue_s, run_s = max(
            ((answer.queue_s, answer.run_s) for answer in answers), key=sum, default=(0.0, 0.0)
        )
        timing = Timing(
            decode=prepared.decoded - prepared.started,
            detect=prepared.detected - prepared.decoded,
            queue=prepared.started - arrived + queue_s,
            inference=run_s,
            total=time.perf_counter() - arrived,
        )
        faces = tuple(
            FaceExpression(face, answer.result)
            for face, answer in zip(prepared.faces, answers, strict=True)
        )
        self._metrics.image_analysed(timing.stages(), map(self._dominant, faces))
        return Analysis(prepared.width, prepared.height, faces, timing)

    def _prepare(
        self, data: bytes, detect: bool, max_faces: int, min_face_size: float
    ) -> _Prepared:
        """Everything up to the crops, on one thread: each hand-over costs about 0.1 ms."""
        started = time.perf_counter()
        photo = decode_image(data, self._limits)
        faces: Sequence[Face | None]
        if detect:
            decoded = time.perf_counter()
            faces, crops = self._find(photo, max_faces, min_face_size)
            detected = time.perf_counter()
        else:
            faces, crops = [None], [crop_whole(to_gray(photo.pixels))]
            decoded = detected = time.perf_counter()
        return _Prepared(photo.width, photo.height, faces, crops, started, decoded, detected)

    def _find(
        self, photo: Photo, max_faces: int, min_face_size: float
    ) -> tuple[list[Face], list[Crop]]:
        found = self._detector.detect(
            photo.pixels, min_face_size=min_face_size / max(photo.scale), max_faces=max_faces
        )
        if not found:
            return [], []
        gray = to_gray(photo.pixels)
        crops = [crop_face(gray, face.box, self._detector.framing) for face in found]
        return [_at_full_size(face, photo) for face in found], crops

    async def _classify(self, crops: list[Crop]) -> list[Answer[Probabilities]]:
        queued: list[asyncio.Future[Answer[Probabilities]]] = []
        try:
            for crop in crops:
                queued.append(self._batcher.submit(crop))
            return await asyncio.gather(*queued)
        finally:
            # When one face failed, nobody waits for the others. Answered ones do not mind.
            for future in queued:
                future.cancel()

    def _dominant(self, face: FaceExpression) -> tuple[str, float]:
        index = int(face.probabilities.argmax())
        return self._labels[index], float(face.probabilities[index])


def _at_full_size(face: Face, photo: Photo) -> Face:
    """The face in pixels of the full picture."""
    scale = np.asarray(photo.scale, np.float32)
    return Face(face.box * np.tile(scale, 2), face.landmarks * scale, face.score)
