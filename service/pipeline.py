"""One image in, its faces and their expressions out: the only place where the steps are in order.

decode -> detect -> crop -> inference      a photo: one job on a worker thread
decode -> crop, queue -> inference         a face that comes as an image: a batcher entry

The faces of a crowd queue as well, one entry each, so that all batch workers share them.

An explanation is one job to its end, so that no more photos are in memory than threads at work:

decode -> detect -> crop -> inference with maps -> draw
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from service.analysis import Analysis, ExplainedAnalysis, FaceExpression, Probabilities
from service.batcher import Answer, MicroBatcher
from service.explainer import Heat
from service.faces import Face, Frame, frame_whole
from service.images import ImageLimits, Photo
from service.line import Line
from service.metrics import FaceMeasures, Metrics
from service.overlay import Mark, draw_overlay
from service.sight import Crop, Detector, Seen, Sight
from service.timing import Timing
from service.vigil import Vigil

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Classifier(Protocol):
    """What reads expressions; `service.classifier.ExpressionClassifier` is one."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def uncertain_below(self) -> float: ...
    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]: ...


class Explainer(Protocol):
    """What tells why; `service.explainer.ExpressionExplainer` is one."""

    def explain(
        self, crops: Sequence[Crop], frames: Sequence[Frame], label: str | None = None
    ) -> tuple[list[Probabilities], list[Heat]]: ...


class ExpressionPipeline:
    """Analyses images. Stateless between calls; any number may run at once.

    `line` leads to as many threads as there are CPUs: each looks at a photo and reads its faces, up
    to `alone` of them, as one batch. All other crops go to `batcher`, which runs the classifier as
    well, and is started and stopped by whoever made it. A job that takes a thread longer than
    `stall_s` counts as stuck.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        explainer: Explainer,
        batcher: MicroBatcher[Crop, Probabilities],
        line: Line,
        limits: ImageLimits,
        metrics: Metrics,
        *,
        alone: int = 8,
        stall_s: float = 30.0,
    ) -> None:
        self._sight = Sight(detector, limits, metrics)
        self._classifier = classifier
        self._labels = classifier.labels
        self._uncertain_below = classifier.uncertain_below
        self._explainer = explainer
        self._batcher = batcher
        self._line = line
        self._metrics = metrics
        self._alone = alone
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

        Raises what `decode_image`, `Line.run` and `MicroBatcher.submit` raise. Cancel it at any
        time: what has not begun by then will not run.
        """
        arrived = time.perf_counter()
        seen, answers = await self._on_a_thread(
            self._see_and_read, data, detect, max_faces, min_face_size, rotate
        )
        if answers is None:
            answers = await self._classify(seen.crops)
        # The face that was answered last.
        queue_s, run_s = max(
            ((answer.queue_s, answer.run_s) for answer in answers), key=sum, default=(0.0, 0.0)
        )
        timing = Timing(
            decode=seen.decoded - seen.started,
            detect=seen.detected - seen.decoded,
            queue=seen.started - arrived + queue_s,
            inference=run_s,
            total=time.perf_counter() - arrived,
            arrived=arrived,
            started=seen.started,
        )
        analysis = self._analysis(seen, [answer.result for answer in answers], timing)
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
        `decode_image`, `Line.run` and `Explainer.explain` raise, and may be cancelled like
        `analyze`.
        """
        arrived = time.perf_counter()

        def work() -> ExplainedAnalysis:
            photo, seen = self._sight.see(data, detect, max_faces, min_face_size, rotate)
            frames = [self._frame(face, photo) for face in seen.faces]
            rows, heats = self._explainer.explain(seen.crops, frames, label)
            heats = [
                self._as_the_face_lies(heat, face) if face else heat
                for face, heat in zip(seen.faces, heats, strict=True)
            ]
            read = time.perf_counter()
            picture = None
            if draw:
                picture = draw_overlay(photo, self._marks(seen, rows, heats), boxes=boxes)
            ended = time.perf_counter()
            timing = Timing(
                decode=seen.decoded - seen.started,
                detect=seen.detected - seen.decoded,
                queue=seen.started - arrived,
                inference=read - seen.detected if heats else 0.0,
                draw=ended - read if draw else 0.0,
                total=ended - arrived,
                arrived=arrived,
                started=seen.started,
            )
            return ExplainedAnalysis(self._analysis(seen, rows, timing), heats, picture)

        explained = await self._on_a_thread(work)
        self._count(explained.analysis)
        return explained

    async def _on_a_thread(
        self, job: Callable[[*Arguments], Result], *arguments: *Arguments
    ) -> Result:
        def watched() -> Result:
            with self._vigil:
                return job(*arguments)

        return await self._line.run(watched)

    def _see_and_read(
        self, data: bytes, detect: bool, max_faces: int, min_face_size: float, rotate: bool
    ) -> tuple[Seen, list[Answer[Probabilities]] | None]:
        """Everything on one thread, as each hand-over costs 0.1 ms; None for answers yet to come.

        A batch saves hand-overs and no time of the model, so that the few faces of a photo gain
        nothing from waiting for others.
        """
        seen = self._sight.see(data, detect, max_faces, min_face_size, rotate)[1]
        if not detect or len(seen.crops) > self._alone:
            return seen, None
        return seen, self._read(seen.crops)

    def _read(self, crops: list[Crop]) -> list[Answer[Probabilities]]:
        if not crops:
            return []
        began = time.perf_counter()
        try:
            rows = self._classifier.predict(np.stack(crops))
        finally:
            self._metrics.batch_finished(len(crops))
        ended = time.perf_counter()
        return [Answer(row, queue_s=0.0, run_s=ended - began) for row in rows]

    async def _classify(self, crops: list[Crop]) -> list[Answer[Probabilities]]:
        queued: list[asyncio.Future[Answer[Probabilities]]] = []
        try:
            for crop in crops:
                queued.append(self._batcher.submit(crop))
            return await asyncio.gather(*queued)
        finally:
            # When one face failed, nobody waits for the others. Answered ones do not mind. None
            # may stay here: its error knows this frame, and would keep itself and the crops alive.
            while queued:
                queued.pop().cancel()

    def _frame(self, face: Face | None, photo: Photo) -> Frame:
        """What of the full picture became the crop."""
        if face is None:
            return frame_whole(photo.height, photo.width)
        return self._sight.framing.frame(face.box, face.turns, face.roll)

    def _as_the_face_lies(self, heat: Heat, face: Face) -> Heat:
        """The heat of a crop, which stands upright, as it lies in the photo."""
        lean = self._sight.framing.lean(face.roll)
        return replace(heat, values=np.rot90(heat.values, -face.turns), roll=lean)

    def _marks(self, seen: Seen, rows: list[Probabilities], heats: list[Heat]) -> list[Mark]:
        return [
            Mark(heat, face.box if face else None, float(row[self._labels.index(heat.label)]))
            for face, row, heat in zip(seen.faces, rows, heats, strict=True)
        ]

    def _analysis(self, seen: Seen, rows: list[Probabilities], timing: Timing) -> Analysis:
        faces = tuple(
            FaceExpression(face, row, float(row.max()) < self._uncertain_below)
            for face, row in zip(seen.faces, rows, strict=True)
        )
        return Analysis(seen.width, seen.height, faces, timing)

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
