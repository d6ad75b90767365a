"""One image in, its faces and their expressions out: the only place where the steps are in order.

decode -> detect -> crop      one job on a worker thread
queue -> inference            one batcher entry per face

An explanation is one job to its end, so that no more photos are in memory than threads at work:

decode -> detect -> crop -> inference with maps -> draw
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from service.analysis import Analysis, ExplainedAnalysis, FaceExpression, Probabilities
from service.batcher import Answer, MicroBatcher
from service.explainer import Heat
from service.faces import Face, Frame, Framing, crop_face, crop_whole, frame_whole
from service.images import ImageLimits, Photo, decode_image, to_gray
from service.metrics import FaceMeasures, Metrics
from service.overlay import Mark, draw_overlay
from service.timing import Timing
from service.vigil import Vigil

Crop = NDArray[np.uint8]

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


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


class Classifier(Protocol):
    """What reads expressions; `service.classifier.ExpressionClassifier` is one."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def uncertain_below(self) -> float: ...


class Explainer(Protocol):
    """What tells why; `service.explainer.ExpressionExplainer` is one."""

    def explain(
        self, crops: Sequence[Crop], frames: Sequence[Frame], label: str | None = None
    ) -> tuple[list[Probabilities], list[Heat]]: ...


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
    classifier, and is started and stopped by whoever made it. A job of `executor` that is longer
    than `stall_s` counts as stuck.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        explainer: Explainer,
        batcher: MicroBatcher[Crop, Probabilities],
        executor: Executor,
        limits: ImageLimits,
        metrics: Metrics,
        *,
        stall_s: float = 30.0,
    ) -> None:
        self._detector = detector
        self._labels = classifier.labels
        self._uncertain_below = classifier.uncertain_below
        self._explainer = explainer
        self._batcher = batcher
        self._executor = executor
        self._limits = limits
        self._metrics = metrics
        self._vigil = Vigil(stall_s)

    @property
    def labels(self) -> tuple[str, ...]:
        """The expressions, in the order of every `probabilities`."""
        return self._labels

    @property
    def healthy(self) -> bool:
        """Whether images can be analysed now: every worker is there, and no thread is stuck."""
        return self._batcher.healthy and not self._vigil.stuck

    async def analyze(
        self,
        data: bytes,
        *,
        detect: bool = True,
        max_faces: int = 100,
        min_face_size: float = 20.0,
        rotate: bool = False,
    ) -> Analysis:
        """Find the faces in an encoded image, or take all of it as one, and read each expression.

        Raises what `decode_image` and `MicroBatcher.submit` raise. Cancel it at any time: what has
        not begun by then will not run.
        """
        arrived = time.perf_counter()
        prepared = await self._on_a_thread(
            self._prepare, data, detect, max_faces, min_face_size, rotate
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
            arrived=arrived,
            started=prepared.started,
        )
        analysis = self._analysis(prepared, [answer.result for answer in answers], timing)
        self._count(analysis)
        return analysis

    async def explain(
        self,
        data: bytes,
        *,
        detect: bool = True,
        max_faces: int = 100,
        min_face_size: float = 20.0,
        rotate: bool = False,
        label: str | None = None,
        draw: bool = False,
        boxes: bool = True,
    ) -> ExplainedAnalysis:
        """The same, and where each face spoke for `label`, or for its own strongest expression.

        `draw`: with a picture of it, and in that with `boxes` and captions. Raises what
        `decode_image` and `Explainer.explain` raise, and may be cancelled like `analyze`.
        """
        arrived = time.perf_counter()

        def work() -> ExplainedAnalysis:
            photo, prepared = self._see(data, detect, max_faces, min_face_size, rotate)
            frames = [self._frame(face, photo) for face in prepared.faces]
            rows, heats = self._explainer.explain(prepared.crops, frames, label)
            heats = [
                self._as_the_face_lies(heat, face) if face else heat
                for face, heat in zip(prepared.faces, heats, strict=True)
            ]
            read = time.perf_counter()
            picture = None
            if draw:
                picture = draw_overlay(photo, self._marks(prepared, rows, heats), boxes=boxes)
            ended = time.perf_counter()
            timing = Timing(
                decode=prepared.decoded - prepared.started,
                detect=prepared.detected - prepared.decoded,
                queue=prepared.started - arrived,
                inference=read - prepared.detected if heats else 0.0,
                draw=ended - read if draw else 0.0,
                total=ended - arrived,
                arrived=arrived,
                started=prepared.started,
            )
            return ExplainedAnalysis(self._analysis(prepared, rows, timing), heats, picture)

        explained = await self._on_a_thread(work)
        self._count(explained.analysis)
        return explained

    async def _on_a_thread(
        self, job: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> Result:
        def watched() -> Result:
            with self._vigil:
                return job(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._executor, watched)

    def _prepare(
        self, data: bytes, detect: bool, max_faces: int, min_face_size: float, rotate: bool
    ) -> _Prepared:
        """Everything up to the crops, on one thread: each hand-over costs about 0.1 ms.

        The photo is given up here: many may wait for their batch.
        """
        return self._see(data, detect, max_faces, min_face_size, rotate)[1]

    def _see(
        self, data: bytes, detect: bool, max_faces: int, min_face_size: float, rotate: bool
    ) -> tuple[Photo, _Prepared]:
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
        return photo, _Prepared(photo.width, photo.height, faces, crops, started, decoded, detected)

    def _find(
        self, photo: Photo, max_faces: int, min_face_size: float, rotate: bool
    ) -> tuple[list[Face], list[Crop]]:
        found = self._detector.detect(
            photo.pixels,
            min_face_size=min_face_size / max(photo.scale),
            max_faces=max_faces,
            rotate=rotate,
        )
        framing = self._detector.framing
        crops = [
            crop_face(photo.pixels, face.box, framing, turns=face.turns, roll=face.roll)
            for face in found
        ]
        return [face.scaled(photo.scale) for face in found], crops

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

    def _frame(self, face: Face | None, photo: Photo) -> Frame:
        """What of the full picture became the crop."""
        if face is None:
            return frame_whole(photo.height, photo.width)
        return self._detector.framing.frame(face.box, face.turns, face.roll)

    def _as_the_face_lies(self, heat: Heat, face: Face) -> Heat:
        """The heat of a crop, which stands upright, as it lies in the photo."""
        lean = self._detector.framing.lean(face.roll)
        return replace(heat, values=np.rot90(heat.values, -face.turns), roll=lean)

    def _marks(
        self, prepared: _Prepared, rows: list[Probabilities], heats: list[Heat]
    ) -> list[Mark]:
        return [
            Mark(heat, face.box if face else None, float(row[self._labels.index(heat.label)]))
            for face, row, heat in zip(prepared.faces, rows, heats, strict=True)
        ]

    def _analysis(self, prepared: _Prepared, rows: list[Probabilities], timing: Timing) -> Analysis:
        faces = tuple(
            FaceExpression(face, row, float(row.max()) < self._uncertain_below)
            for face, row in zip(prepared.faces, rows, strict=True)
        )
        return Analysis(prepared.width, prepared.height, faces, timing)

    def _count(self, analysis: Analysis) -> None:
        side = max(analysis.width, analysis.height)
        measures = [self._measures(found, side) for found in analysis.faces]
        self._metrics.image_analysed(analysis.timing.stages(), measures)

    def _measures(self, found: FaceExpression, side: int) -> FaceMeasures:
        """`side` is that of an image that was taken as one face."""
        index = int(found.probabilities.argmax())
        if found.face is not None:
            x_min, y_min, x_max, y_max = found.face.box.tolist()
            side = max(x_max - x_min, y_max - y_min)
        return FaceMeasures(self._labels[index], float(found.probabilities[index]), side)
