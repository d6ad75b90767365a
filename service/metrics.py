"""Every Prometheus collector of the service, declared once. Prefix mien_, the unit in the name."""

import itertools
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from service.errors import (
    DeadlineExceeded,
    Draining,
    InferenceFailed,
    NotReady,
    Overloaded,
    RateLimited,
    ServiceError,
)

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"

# 1 ms to 10 s, about two and a half steps an octave where answers usually fall.
_SECONDS = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1),
    *(0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0),
)
_BATCH_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 64)
_FACES = (0, 1, 2, 3, 4, 5, 8, 12, 20, 50, 100)
_CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_FACE_SIDES = (20, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000, 2000)
_BRIGHTNESSES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

# A method is whatever token the client sent; each unknown one must not become a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# What the alerts count: the routes that take images, and the ways in which they fail.
IMAGE_ROUTES = ("/predict", "/predict/batch", "/explain")
_FAILURES = ("500", "503", "504")

_Child = TypeVar("_Child")


class _Children(dict[tuple[str, ...], _Child], Generic[_Child]):
    """The labelled children of one collector, each looked up once."""

    def __init__(self, labels: Callable[..., _Child]) -> None:
        super().__init__()
        self._labels = labels

    def __missing__(self, values: tuple[str, ...]) -> _Child:
        child = self[values] = self._labels(*values)
        return child


class FaceMeasures(NamedTuple):
    """What is counted of a face: its expression, how sure, and its longer side in pixels."""

    label: str
    confidence: float
    size: float


class Metrics:
    """What one process counts and measures. Built once, handed to whoever has something to tell.

    With PROMETHEUS_MULTIPROC_DIR set, `render` adds up all processes that share that directory;
    the collectors about the Python process itself are left out there, as they cannot be added up.
    All methods may be called from any thread.
    """

    def __init__(self, *, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "mien_requests_total",
            "Requests answered.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "mien_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._answer_seconds = Histogram(
            "mien_answer_duration_seconds",
            "Time from the last byte of images to the last byte of their answer, a 200.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "mien_requests_in_flight",
            "Requests that came in and are not answered yet.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._shed = Counter(
            "mien_requests_shed_total",
            "Requests refused to protect the others.",
            ["reason"],
            registry=registry,
        )
        self._image_problems = Counter(
            "mien_image_problems_total",
            "Images of a batch request that got a problem for an answer.",
            ["code"],
            registry=registry,
        )
        self._stage_seconds = Histogram(
            "mien_stage_duration_seconds",
            "Time one image spent in one stage: decode, detect, queue, inference, draw.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue_depth = Gauge(
            "mien_queue_depth",
            "Face crops that wait for a batch.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._batch_size = Histogram(
            "mien_batch_size",
            "Face crops in one run of the expression model, explanations aside.",
            buckets=_BATCH_SIZES,
            registry=registry,
        )
        self._worker_restarts = Counter(
            "mien_worker_restarts_total",
            "Batch workers that died and were replaced.",
            registry=registry,
        )
        self._faces = Histogram(
            "mien_faces_per_image",
            "Faces found in one image.",
            buckets=_FACES,
            registry=registry,
        )
        self._expressions = Counter(
            "mien_expressions_total",
            "Faces by their dominant expression.",
            ["label"],
            registry=registry,
        )
        self._confidence = Histogram(
            "mien_expression_confidence_ratio",
            "Probability of the dominant expression.",
            buckets=_CONFIDENCES,
            registry=registry,
        )
        self._face_size = Histogram(
            "mien_face_size_pixels",
            "Longer side of a face in its image.",
            buckets=_FACE_SIDES,
            registry=registry,
        )
        self._brightness = Histogram(
            "mien_image_brightness_ratio",
            "Mean brightness of an image, from 0, black, to 1, white.",
            buckets=_BRIGHTNESSES,
            registry=registry,
        )
        # Gauges that are always 1: the client's Info type does not work with several processes.
        self._model_info = Gauge(
            "mien_model_info",
            "A loaded model; the checksum is that of its graph.",
            ["name", "version", "sha256"],
            multiprocess_mode="max",
            registry=registry,
        )
        self._build_info = Gauge(
            "mien_build_info",
            "The running version of mien.",
            ["version"],
            multiprocess_mode="max",
            registry=registry,
        )
        self._build_info.labels(version).set(1)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        self._requests_by = _Children(self._requests.labels)
        self._request_seconds_by = _Children(self._request_seconds.labels)
        self._answer_seconds_by = _Children(self._answer_seconds.labels)
        self._shed_by = _Children(self._shed.labels)
        self._image_problems_by = _Children(self._image_problems.labels)
        self._stage_seconds_by = _Children(self._stage_seconds.labels)
        self._expressions_by = _Children(self._expressions.labels)
        # To Prometheus, what a series begins with is no increase: failures are to begin with none.
        for route, status in itertools.product(IMAGE_ROUTES, _FAILURES):
            self._requests_by[route, "POST", status]
        for error in (ServiceError, InferenceFailed):
            self._image_problems_by[(error.code,)]
        for reason in (RateLimited, Overloaded, NotReady, Draining, DeadlineExceeded):
            self._shed_by[(reason.code,)]

    def model_loaded(self, name: str, version: str, sha256: str) -> None:
        """A model serves from now on."""
        self._model_info.labels(name, version, sha256).set(1)

    def request_started(self) -> None:
        """A request came in; exactly one `request_finished` must follow."""
        self._in_flight.inc()

    def request_finished(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the path's template, never the path as it was sent."""
        self._in_flight.dec()
        method = method if method in _METHODS else "other"
        self._requests_by[route, method, str(status)].inc()
        self._request_seconds_by[(route,)].observe(seconds)

    def images_answered(self, route: str, seconds: float) -> None:
        """Images were answered, so long after the last byte of them had come."""
        self._answer_seconds_by[(route,)].observe(seconds)

    def request_shed(self, reason: str) -> None:
        """A request was refused; `reason` is the error's code, such as overloaded."""
        self._shed_by[(reason,)].inc()

    def image_failed(self, code: str) -> None:
        """An image of a batch, whose answer is a 200, got the problem of this code."""
        self._image_problems_by[(code,)].inc()

    def image_decoded(self, brightness: float) -> None:
        """One image came in that is one. `brightness` is 0..1."""
        self._brightness.observe(brightness)

    def image_analysed(
        self, stage_seconds: Mapping[str, float], faces: Collection[FaceMeasures]
    ) -> None:
        """One image is done: the time of each stage it had, and its faces."""
        for stage, seconds in stage_seconds.items():
            self._stage_seconds_by[(stage,)].observe(seconds)
        self._faces.observe(len(faces))
        for label, confidence, size in faces:
            self._expressions_by[(label,)].inc()
            self._confidence.observe(confidence)
            self._face_size.observe(size)

    def queue_changed(self, by: int) -> None:
        """The queue grew or, with a negative number, shrank."""
        self._queue_depth.inc(by)

    def batch_finished(self, size: int) -> None:
        """One run of the expression model ended, well or not."""
        self._batch_size.observe(size)

    def worker_died(self) -> None:
        """A batch worker died and is being replaced."""
        self._worker_restarts.inc()

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        directory = os.environ.get(MULTIPROCESS_DIR)
        if directory is None:
            return generate_latest(self.registry), CONTENT_TYPE_LATEST
        return render_processes(Path(directory))


def render_processes(directory: Path) -> tuple[bytes, str]:
    """The same of all processes that share a directory. Whoever asks need not be one of them."""
    _forget_dead_processes(directory)
    everyone = CollectorRegistry()
    MultiProcessCollector(everyone, path=str(directory))  # type: ignore[no-untyped-call]
    return generate_latest(everyone), CONTENT_TYPE_LATEST


def _forget_dead_processes(directory: Path) -> None:
    """A killed process's queue and requests died with it: no longer add its gauges."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, PermissionError):  # or its number is somebody else's by now
            file.unlink(missing_ok=True)  # another scrape may have been quicker
