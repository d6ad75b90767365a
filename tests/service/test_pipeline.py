import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.admission import Admission
from service.analysis import Analysis, Probabilities
from service.batcher import MicroBatcher
from service.classifier import ExpressionClassifier
from service.errors import ImageTooLarge, InferenceFailed, Overloaded, UndecodableImage
from service.explainer import ExpressionExplainer
from service.faces import Face, Frame, Framing
from service.images import MIN_LONG_SIDE, ImageLimits
from service.line import Line
from service.metrics import Metrics
from service.pipeline import ExpressionPipeline
from service.session import InputConfig, ModelConfig
from service.sight import Crop
from tests.service.fakes import PATIENCE_S, FakeSession, GatedBatch, GatedRunner

pytestmark = pytest.mark.anyio

LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
CONFIG = ModelConfig(
    name="expression",
    version="0.0.0",
    labels=LABELS,
    input=InputConfig(
        name="image",
        layout="NHW",
        dtype="uint8",
        size=(48, 48),
        multiple_of=1,
        range=(0, 255),
        colour="gray",
    ),
    outputs=["logits", "maps"],
    temperature=1.0,
    uncertain_below=0.5,
    opset=17,
    int8_needs=None,
    detection=None,
    files={"model.onnx": "0" * 64},
    commit="",
    command="",
)

Run = Callable[[list[Crop]], Iterable[Probabilities]]


def graph(crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Seven steps of gray are the seven expressions; light speaks for each of them."""
    steps = crops.mean(axis=(1, 2)) / 256 * len(LABELS)
    maps = np.repeat(crops[:, None, ::8, ::8].astype(np.float32), len(LABELS), axis=1)
    return [np.eye(len(LABELS), dtype=np.float32)[steps.astype(int)] * 10, maps]


CLASSIFIER = ExpressionClassifier(FakeSession(CONFIG, graph))


def classify(crops: list[Crop]) -> list[Probabilities]:
    return list(CLASSIFIER.predict(np.stack(crops)))


def gray_of(label: str) -> int:
    return int((LABELS.index(label) + 0.5) / len(LABELS) * 256)


class WatchedExplainer(ExpressionExplainer):
    """Remembers where it worked."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(FakeSession(CONFIG, graph))
        self.before = before
        self.threads: list[threading.Thread] = []

    def explain(self, *arguments: Any) -> Any:
        self.threads.append(threading.current_thread())
        self.before()
        return super().explain(*arguments)


@dataclass
class FakeDetector:
    """Finds a face in every box that it is told of, and remembers what it was shown."""

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    framing: Framing = Framing(center=(0.5, 0.5), size=(1.0, 1.0))  # noqa: RUF009  # is frozen
    before: Callable[[], object] = lambda: None
    turns: int = 0
    shown: list[dict[str, Any]] = field(default_factory=list)

    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        min_face_size: float = 20.0,
        max_faces: int = 100,
        rotate: bool = False,
    ) -> list[Face]:
        self.shown.append(
            {
                "image": image,
                "min_face_size": min_face_size,
                "max_faces": max_faces,
                "rotate": rotate,
                "thread": threading.current_thread(),
            }
        )
        self.before()
        return [
            Face(np.array(box, np.float32), np.full((5, 2), box[:2], np.float32), 0.9, self.turns)
            for box in self.boxes
        ]


class WatchedMetrics(Metrics):
    """Metrics that let a test wait until crops were queued."""

    def __init__(self) -> None:
        super().__init__(version="0.0.0")
        self._arrivals = asyncio.Semaphore(0)

    def queue_changed(self, by: int) -> None:
        super().queue_changed(by)
        if by > 0:
            self._arrivals.release()

    async def queued(self, crops: int) -> None:
        """Return when that many more crops have been queued."""
        for _ in range(crops):
            await asyncio.wait_for(self._arrivals.acquire(), PATIENCE_S)


@dataclass
class House:
    """A pipeline and its parts."""

    pipeline: ExpressionPipeline
    batcher: MicroBatcher[Crop, Probabilities]
    detector: FakeDetector
    metrics: WatchedMetrics

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@asynccontextmanager
async def house(
    run: Run = classify,
    *,
    detector: FakeDetector | None = None,
    explainer: WatchedExplainer | None = None,
    limits: ImageLimits | None = None,
    threads: int = 2,
    workers: int = 1,
    stall_s: float = 30.0,
    alone: int = 0,
    classifier: ExpressionClassifier = CLASSIFIER,
    **batching: int,
) -> AsyncIterator[House]:
    """Every face goes through the batcher, unless some are to be read `alone`."""
    metrics = WatchedMetrics()
    detector = detector or FakeDetector()
    batcher = MicroBatcher(run, workers=workers, stall_s=stall_s, observer=metrics, **batching)
    with ThreadPoolExecutor(threads) as executor:
        pipeline = ExpressionPipeline(
            detector,
            classifier,
            explainer or WatchedExplainer(),
            batcher,
            Line(executor, Admission(64)),
            limits or ImageLimits(),
            metrics,
            alone=alone,
            stall_s=stall_s,
        )
        batcher.start()
        try:
            yield House(pipeline, batcher, detector, metrics)
        finally:
            await asyncio.wait_for(batcher.stop(), PATIENCE_S)


def png(picture: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def plain(label: str, size: tuple[int, int] = (48, 48)) -> bytes:
    """A picture of one gray, which the classifier reads as `label`."""
    return png(Image.new("L", size, gray_of(label)))


BOXES = [(0.0, 0.0, 40.0, 40.0), (60.0, 0.0, 100.0, 40.0), (120.0, 0.0, 160.0, 40.0)]


def group(*labels: str) -> bytes:
    """One face in each of `BOXES`."""
    picture = Image.new("L", (160, 40), 255)
    for label, (left, top, right, bottom) in zip(labels, BOXES, strict=True):
        picture.paste(gray_of(label), (int(left), int(top), int(right), int(bottom)))
    return png(picture)


def labels_of(analysis: Analysis) -> list[str]:
    return [LABELS[int(face.probabilities.argmax())] for face in analysis.faces]


Runner = GatedRunner[Crop, Probabilities]


async def begun(runner: Runner) -> GatedBatch[Crop, Probabilities]:
    return await asyncio.to_thread(runner.begun)


def answer(batch: GatedBatch[Crop, Probabilities]) -> None:
    batch.finish(classify(batch.items))


# Answers


async def test_a_whole_image_is_one_crop() -> None:
    async with house() as it:
        analysis = await it.pipeline.analyze(plain("sad", (60, 50)), detect=False)
    assert (analysis.width, analysis.height) == (60, 50)
    assert labels_of(analysis) == ["sad"]
    assert analysis.faces[0].face is None
    assert analysis.faces[0].probabilities.dtype == np.float32
    assert analysis.faces[0].probabilities.sum() == pytest.approx(1)
    assert not it.detector.shown


async def test_an_answer_below_the_model_s_threshold_is_uncertain() -> None:
    def percent(crops: list[Crop]) -> list[Probabilities]:
        """The gray value is the largest probability in percent; the threshold is .5."""
        return [np.array([crop[0, 0] / 100, 0, 0, 0, 0, 0, 0], np.float32) for crop in crops]

    async with house(percent) as it:
        pictures = [png(Image.new("L", (48, 48), gray)) for gray in (49, 50, 51)]
        analyses = [await it.pipeline.analyze(picture, detect=False) for picture in pictures]
    assert [analysis.faces[0].uncertain for analysis in analyses] == [True, False, False]


async def test_each_face_gets_its_own_answer() -> None:
    async with house(detector=FakeDetector(BOXES)) as it:
        analysis = await it.pipeline.analyze(group("happy", "fear", "neutral"))
    assert labels_of(analysis) == ["happy", "fear", "neutral"]
    found = [one.face.box.tolist() for one in analysis.faces if one.face]
    assert found == [list(box) for box in BOXES]


async def test_no_face_is_an_answer() -> None:
    async with house() as it:
        analysis = await it.pipeline.analyze(plain("sad"))
    assert analysis.faces == ()
    assert analysis.timing.inference == 0


async def test_labels_are_the_classifier_s() -> None:
    async with house() as it:
        assert it.pipeline.labels == tuple(LABELS)


async def test_options_reach_the_detector() -> None:
    async with house() as it:
        await it.pipeline.analyze(plain("sad"), max_faces=3, min_face_size=33.0)
    assert it.detector.shown[0]["max_faces"] == 3
    assert it.detector.shown[0]["min_face_size"] == 33.0


async def test_boxes_are_pixels_of_the_full_image() -> None:
    async with house(detector=FakeDetector([(10.0, 20.0, 50.0, 60.0)])) as it:
        image = plain("happy", (2 * MIN_LONG_SIDE, 400))
        analysis = await it.pipeline.analyze(image, min_face_size=40.0)
    assert it.detector.shown[0]["image"].shape == (200, MIN_LONG_SIDE, 3)
    assert it.detector.shown[0]["min_face_size"] == 20.0
    assert (analysis.width, analysis.height) == (2 * MIN_LONG_SIDE, 400)
    (one,) = analysis.faces
    assert one.face is not None
    assert one.face.box.tolist() == [20.0, 40.0, 100.0, 120.0]
    assert one.face.landmarks.tolist() == [[20.0, 40.0]] * 5
    assert one.face.box.dtype == one.face.landmarks.dtype == np.float32
    assert labels_of(analysis) == ["happy"]


async def test_the_detector_sees_the_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    async with house() as it:
        analysis = await it.pipeline.analyze(png(Image.new("RGB", (30, 20)), exif=exif))
    assert it.detector.shown[0]["image"].shape == (30, 20, 3)
    assert (analysis.width, analysis.height) == (20, 30)


async def test_many_at_once() -> None:
    wanted = LABELS * 5
    async with house(workers=2) as it:
        analyses = await asyncio.gather(
            *(it.pipeline.analyze(plain(label), detect=False) for label in wanted)
        )
    assert [labels_of(analysis) for analysis in analyses] == [[label] for label in wanted]


async def test_an_image_is_prepared_beside_the_event_loop() -> None:
    async with house() as it:
        await it.pipeline.analyze(plain("sad"))
    assert it.detector.shown[0]["thread"] is not threading.current_thread()


# Time


async def test_the_stages_fit_into_the_total() -> None:
    async with house(detector=FakeDetector(BOXES)) as it:
        timing = (await it.pipeline.analyze(group("happy", "sad", "fear"))).timing
    stages = timing.stages()
    assert list(stages) == ["decode", "detect", "queue", "inference"]
    assert min(stages.values()) > 0
    assert sum(stages.values()) <= timing.total


async def test_queue_and_inference_are_of_the_face_that_was_answered_last() -> None:
    runner = Runner()
    async with house(runner, detector=FakeDetector(BOXES), max_batch_size=1) as it:
        image = asyncio.create_task(it.pipeline.analyze(group("happy", "sad", "fear")))
        batch = await begun(runner)
        await it.metrics.queued(3)
        all_queued = time.perf_counter()
        answer(batch)
        answer(await begun(runner))
        before_the_last = time.perf_counter() - all_queued
        answer(await begun(runner))
        timing = (await image).timing
    assert timing.queue >= before_the_last


async def test_one_record_of_time_feeds_the_metrics() -> None:
    async with house(detector=FakeDetector(BOXES[:2])) as it:
        timing = (await it.pipeline.analyze(group("happy", "sad", "fear"))).timing
        for stage, seconds in timing.stages().items():
            assert it.sample("mien_stage_duration_seconds_sum", stage=stage) == seconds
    assert it.sample("mien_faces_per_image_sum") == 2
    assert it.sample("mien_expressions_total", label="happy") == 1
    assert it.sample("mien_batch_size_sum") == 2
    assert it.sample("mien_queue_depth") == 0


async def test_steps_that_were_not_needed_are_not_measured() -> None:
    async with house() as it:
        await it.pipeline.analyze(plain("sad"))
        await it.pipeline.analyze(plain("sad"), detect=False)
    assert it.sample("mien_stage_duration_seconds_count", stage="decode") == 2
    assert it.sample("mien_stage_duration_seconds_count", stage="detect") == 1
    assert it.sample("mien_stage_duration_seconds_count", stage="inference") == 1


async def test_the_steps_follow_each_other_on_the_clock() -> None:
    began = time.perf_counter()
    async with house(detector=FakeDetector(BOXES)) as it:
        photo = group("happy", "sad", "fear")
        analysis = await it.pipeline.analyze(photo)
        explained = await it.pipeline.explain(photo, draw=True)
    first, *_, last = (*analysis.timing.intervals(), *explained.analysis.timing.intervals())
    assert began < first.begin == analysis.timing.arrived
    assert last.end <= time.perf_counter()
    for timing in (analysis.timing, explained.analysis.timing):
        spent = dict.fromkeys(timing.stages(), 0.0)
        for stage, begin, end in timing.intervals():
            spent[stage] += end - begin
            assert end <= timing.arrived + timing.total + 1e-6
        assert spent == pytest.approx(timing.stages())


# Drift


@pytest.mark.parametrize("size", [(1, 1), (48, 48), (640, 360), (MIN_LONG_SIDE, 40), (31, 999)])
async def test_how_bright_an_image_is(size: tuple[int, int]) -> None:
    """Two gray values beside each other; the darker part is 3/4 of the image."""
    picture = Image.new("L", size, 51)
    picture.paste(204, (size[0] * 3 // 4, 0, size[0], size[1]))
    true = np.asarray(picture).mean() / 255
    async with house() as it:
        await it.pipeline.analyze(png(picture))
    brightness = it.sample("mien_image_brightness_ratio_sum")
    assert brightness == pytest.approx(true, abs=0.02)


async def test_a_damaged_image_has_no_brightness() -> None:
    async with house() as it:
        with pytest.raises(UndecodableImage):
            await it.pipeline.analyze(b"no image")
    assert it.sample("mien_image_brightness_ratio_count") == 0


async def test_how_large_faces_are_in_the_full_image() -> None:
    async with house(detector=FakeDetector([(10.0, 20.0, 50.0, 50.0)])) as it:
        await it.pipeline.analyze(plain("happy", (2 * MIN_LONG_SIDE, 400)))
        assert it.sample("mien_face_size_pixels_sum") == 80.0  # the box is that of half the size
        await it.pipeline.explain(plain("happy", (60, 50)), detect=False)
    assert it.sample("mien_face_size_pixels_sum") == 80.0 + 60.0
    assert it.sample("mien_face_size_pixels_count") == 2


# Failures


@pytest.mark.parametrize("detect", [True, False])
async def test_a_bad_image_is_refused(detect: bool) -> None:
    async with house() as it:
        with pytest.raises(UndecodableImage):
            await it.pipeline.analyze(b"no image", detect=detect)


async def test_the_limits_hold() -> None:
    async with house(limits=ImageLimits(max_pixels=100)) as it:
        with pytest.raises(ImageTooLarge):
            await it.pipeline.analyze(plain("sad"))


async def test_a_poisoned_image_fails_alone() -> None:
    images = [plain("happy"), plain("fear")[:-20], plain("sad"), b""]
    async with house() as it:
        outcomes = await asyncio.gather(
            *(it.pipeline.analyze(image, detect=False) for image in images), return_exceptions=True
        )
    assert isinstance(outcomes[0], Analysis)
    assert isinstance(outcomes[1], UndecodableImage)
    assert isinstance(outcomes[2], Analysis)
    assert isinstance(outcomes[3], UndecodableImage)
    assert labels_of(outcomes[0]) + labels_of(outcomes[2]) == ["happy", "sad"]


async def test_a_detector_that_fails() -> None:
    def fail() -> None:
        raise InferenceFailed("broken")

    async with house(detector=FakeDetector(before=fail)) as it:
        with pytest.raises(InferenceFailed, match="broken"):
            await it.pipeline.analyze(plain("sad"))


async def test_a_face_that_fails_fails_its_image_only() -> None:
    def run(crops: list[Crop]) -> Iterable[Probabilities]:
        answers = classify(crops)
        if any(LABELS[int(one.argmax())] == "fear" for one in answers):
            raise ValueError
        return answers

    async with house(run, detector=FakeDetector(BOXES), max_batch_size=1) as it:
        with pytest.raises(InferenceFailed):
            await it.pipeline.analyze(group("happy", "fear", "sad"))
        analysis = await it.pipeline.analyze(group("happy", "sad", "angry"))
        assert labels_of(analysis) == ["happy", "sad", "angry"]
        assert it.pipeline.healthy
    assert it.sample("mien_queue_depth") == 0


async def test_faces_that_do_not_fit_into_the_queue_fail_the_image() -> None:
    runner = Runner()
    async with house(runner, detector=FakeDetector(BOXES), max_queue_size=2) as it:
        first = asyncio.create_task(it.pipeline.analyze(plain("happy"), detect=False))
        batch = await begun(runner)
        with pytest.raises(Overloaded):
            await it.pipeline.analyze(group("happy", "sad", "fear"))
        last = asyncio.create_task(it.pipeline.analyze(plain("angry"), detect=False))
        await it.metrics.queued(1 + 2 + 1)
        answer(batch)
        batch = await begun(runner)
        assert len(batch.items) == 1  # the two faces that did fit are not run
        answer(batch)
        assert labels_of(await first) == ["happy"]
        assert labels_of(await last) == ["angry"]


# Faces that are read where they were found


def unasked(crops: list[Crop]) -> Iterable[Probabilities]:
    raise AssertionError("expected no batch of others")


async def test_a_few_faces_are_read_by_the_thread_that_found_them() -> None:
    async with house(unasked, detector=FakeDetector(BOXES), alone=3) as it:
        analysis = await it.pipeline.analyze(group("happy", "fear", "neutral"))
    assert labels_of(analysis) == ["happy", "fear", "neutral"]
    stages = analysis.timing.stages()
    assert list(stages) == ["decode", "detect", "queue", "inference"]
    assert sum(stages.values()) <= analysis.timing.total
    assert it.sample("mien_batch_size_sum") == 3
    assert it.sample("mien_batch_size_count") == 1


async def test_nothing_is_read_where_no_face_was_found() -> None:
    async with house(unasked, alone=3) as it:
        analysis = await it.pipeline.analyze(plain("sad"))
    assert analysis.faces == ()
    assert analysis.timing.inference == 0
    assert it.sample("mien_batch_size_count") == 0


@pytest.mark.parametrize("detect", [True, False])
async def test_crowds_and_crops_share_batches(detect: bool) -> None:
    sizes = []

    def run(crops: list[Crop]) -> Iterable[Probabilities]:
        sizes.append(len(crops))
        return classify(crops)

    async with house(run, detector=FakeDetector(BOXES), alone=2, max_batch_size=1) as it:
        analysis = await it.pipeline.analyze(group("happy", "fear", "sad"), detect=detect)
    assert sizes == [1] * len(analysis.faces)


async def test_faces_that_cannot_be_read_fail_their_photo() -> None:
    def broken(crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        nothing = np.full((len(crops), len(LABELS)), np.nan, np.float32)
        return [nothing, nothing]

    classifier = ExpressionClassifier(FakeSession(CONFIG, broken))
    async with house(detector=FakeDetector(BOXES), alone=3, classifier=classifier) as it:
        with pytest.raises(InferenceFailed, match="not finite"):
            await it.pipeline.analyze(group("happy", "fear", "sad"))
        assert it.pipeline.healthy
    assert it.sample("mien_batch_size_sum") == 3


# Callers that leave


async def test_who_leaves_takes_the_queued_faces_along() -> None:
    runner = Runner()
    async with house(runner, detector=FakeDetector(BOXES)) as it:
        first = asyncio.create_task(it.pipeline.analyze(plain("happy"), detect=False))
        batch = await begun(runner)
        leaving = asyncio.create_task(it.pipeline.analyze(group("happy", "sad", "fear")))
        last = asyncio.create_task(it.pipeline.analyze(plain("angry"), detect=False))
        await it.metrics.queued(1 + 3 + 1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        answer(batch)
        batch = await begun(runner)
        assert len(batch.items) == 1
        answer(batch)
        assert labels_of(await first) == ["happy"]
        assert labels_of(await last) == ["angry"]


async def test_who_leaves_during_the_run_harms_nobody() -> None:
    runner = Runner()
    async with house(runner, workers=1) as it:
        first = asyncio.create_task(it.pipeline.analyze(plain("happy"), detect=False))
        batch = await begun(runner)
        others = [
            asyncio.create_task(it.pipeline.analyze(plain(label), detect=False))
            for label in ("sad", "fear")
        ]
        await it.metrics.queued(3)
        answer(batch)
        batch = await begun(runner)
        others[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await others[0]
        answer(batch)
        assert labels_of(await first) == ["happy"]
        assert labels_of(await others[1]) == ["fear"]


async def test_a_deadline_ends_the_wait_for_a_batch() -> None:
    runner = Runner()
    async with house(runner) as it:
        late = asyncio.create_task(it.pipeline.analyze(plain("happy"), detect=False))
        batch = await begun(runner)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time()):
                await late
        answer(batch)


async def test_who_leaves_during_decoding_queues_nothing() -> None:
    entered, gate = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert gate.wait(PATIENCE_S)

    async with house(detector=FakeDetector(BOXES, before=wait), threads=1) as it:
        leaving = asyncio.create_task(it.pipeline.analyze(group("happy", "sad", "fear")))
        assert await asyncio.to_thread(entered.wait, PATIENCE_S)
        # This one has no thread yet: it leaves before it is begun.
        behind = asyncio.create_task(it.pipeline.analyze(group("happy", "sad", "fear")))
        await asyncio.sleep(0)
        for caller in (leaving, behind):
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        gate.set()
    assert len(it.detector.shown) == 1
    assert it.sample("mien_batch_size_count") == 0
    assert it.sample("mien_queue_depth") == 0


async def test_health_is_the_batcher_s() -> None:
    runner = Runner()
    async with house(runner, stall_s=0) as it:
        healthy = [it.pipeline.healthy]
        caller = asyncio.create_task(it.pipeline.analyze(plain("happy"), detect=False))
        batch = await begun(runner)
        healthy.append(it.pipeline.healthy)
        answer(batch)
        await caller
    assert healthy == [True, False]


# Explanations


async def test_an_explanation_is_an_analysis_with_heat() -> None:
    explainer = WatchedExplainer()
    async with house(detector=FakeDetector(BOXES), explainer=explainer) as it:
        photo = group("happy", "fear", "neutral")
        explained = await it.pipeline.explain(photo)
        analysis = await it.pipeline.analyze(photo)
    assert labels_of(explained.analysis) == labels_of(analysis) == ["happy", "fear", "neutral"]
    assert [heat.label for heat in explained.heats] == ["happy", "fear", "neutral"]
    assert [heat.frame for heat in explained.heats] == [
        Frame(0, 0, 40), Frame(60, 0, 40), Frame(120, 0, 40)
    ]  # fmt: skip
    assert explained.picture is None
    assert explainer.threads[0] is not threading.current_thread()
    assert it.sample("mien_expressions_total", label="fear") == 2
    assert it.sample("mien_faces_per_image_sum") == 6


async def test_a_label_is_explained_for_every_face() -> None:
    async with house(detector=FakeDetector(BOXES)) as it:
        explained = await it.pipeline.explain(group("happy", "fear", "sad"), label="disgust")
    assert [heat.label for heat in explained.heats] == ["disgust"] * 3
    assert labels_of(explained.analysis) == ["happy", "fear", "sad"]


async def test_a_whole_image_is_explained_in_its_square() -> None:
    async with house() as it:
        explained = await it.pipeline.explain(plain("sad", (60, 30)), detect=False)
    assert explained.heats[0].frame == Frame(0, -15, 60)
    assert explained.analysis.faces[0].face is None


async def test_frames_are_pixels_of_the_full_image() -> None:
    async with house(detector=FakeDetector([(10.0, 20.0, 50.0, 60.0)])) as it:
        explained = await it.pipeline.explain(plain("happy", (2 * MIN_LONG_SIDE, 400)))
    assert explained.heats[0].frame == Frame(20, 40, 80)


@pytest.mark.parametrize("turns", range(4))
async def test_the_heat_of_a_turned_face_lies_where_the_photo_has_it(turns: int) -> None:
    """The face is brightest in its own upper left corner, however it lies in the photo."""
    face = np.zeros((48, 48), np.uint8)
    face[:16, :16] = 255
    lying = np.rot90(face, -turns)
    detector = FakeDetector([(0.0, 0.0, 48.0, 48.0)], turns=turns)
    async with house(detector=detector) as it:
        explained = await it.pipeline.explain(png(Image.fromarray(lying)), rotate=True)
    corner = explained.heats[0].values > 0.5
    assert corner.sum() == 4
    assert (corner == np.rot90(np.pad(np.ones((2, 2)), ((0, 4), (0, 4))), -turns)).all()


async def test_a_picture_is_drawn_when_asked_for() -> None:
    async with house(detector=FakeDetector(BOXES)) as it:
        photo = group("happy", "fear", "neutral")
        drawn = await it.pipeline.explain(photo, draw=True)
        bare = await it.pipeline.explain(photo, draw=True, boxes=False)
    assert drawn.picture
    assert bare.picture
    assert drawn.picture != bare.picture
    assert Image.open(BytesIO(drawn.picture)).size == (160, 40)
    assert it.sample("mien_stage_duration_seconds_count", stage="draw") == 2


async def test_the_stages_of_an_explanation_fit_into_its_total() -> None:
    async with house(detector=FakeDetector(BOXES)) as it:
        explained = await it.pipeline.explain(group("happy", "sad", "fear"), draw=True)
    timing = explained.analysis.timing
    assert list(timing.stages()) == ["decode", "detect", "queue", "inference", "draw"]
    assert sum(timing.stages().values()) == pytest.approx(timing.total)


async def test_without_a_face_there_is_nothing_to_explain() -> None:
    async with house() as it:
        explained = await it.pipeline.explain(plain("sad"), draw=True)
    assert explained.heats == []
    assert explained.picture
    assert explained.analysis.timing.inference == 0


async def test_who_leaves_before_an_explanation_began_takes_it_along() -> None:
    entered, gate = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert gate.wait(PATIENCE_S)

    explainer = WatchedExplainer(before=wait)
    async with house(explainer=explainer, threads=1) as it:
        leaving = asyncio.create_task(it.pipeline.explain(plain("happy"), detect=False))
        assert await asyncio.to_thread(entered.wait, PATIENCE_S)
        behind = asyncio.create_task(it.pipeline.explain(plain("happy"), detect=False))
        await asyncio.sleep(0)
        for caller in (leaving, behind):
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        gate.set()
    assert len(explainer.threads) == 1
    assert it.sample("mien_faces_per_image_count") == 0


@pytest.mark.parametrize("explain", [False, True])
async def test_a_thread_that_is_stuck_is_not_healthy_until_it_is_done(explain: bool) -> None:
    entered, gate = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert gate.wait(PATIENCE_S)

    async with house(detector=FakeDetector(before=wait), stall_s=0) as it:
        healthy = [it.pipeline.healthy]
        ask = it.pipeline.explain if explain else it.pipeline.analyze
        image = asyncio.ensure_future(ask(plain("happy")))
        assert await asyncio.to_thread(entered.wait, PATIENCE_S)
        healthy.append(it.pipeline.healthy)
        gate.set()
        await image
        healthy.append(it.pipeline.healthy)
    assert healthy == [True, False, True]
