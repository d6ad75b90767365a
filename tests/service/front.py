"""The service with a pipeline that tests control, for tests of what stands in front of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from service.admission import Admission
from service.analysis import Analysis, ExplainedAnalysis, FaceExpression, Pipeline
from service.app import create_app
from service.errors import ServiceError, UndecodableImage
from service.explainer import Heat
from service.faces import Face, Frame
from service.schemas import ModelReport, Models
from service.settings import Settings
from service.timing import Timing

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

FACE = Face(
    box=np.array([10.5, 20.25, 40.5, 60.25], np.float32),
    landmarks=np.arange(10, dtype=np.float32).reshape(5, 2),
    score=0.97,
)
PROBABILITIES = np.array([0.01, 0.02, 0.03, 0.9, 0.01, 0.02, 0.01], np.float32)
HEAT = np.array([[0, 0.25, 1], [0.123456, 0, 0]], np.float32)
PICTURE = b"a picture"
TIMING = Timing(decode=0.002, detect=0.005, queue=0.0001, inference=0.0009, total=0.0088)

MODELS = Models(
    expression=ModelReport(
        name="expression",
        version="1.2.3",
        labels=list(LABELS),
        precision="fp32",
        uncertain_below=0.5,
        files={"model.onnx": "ab" * 32},
        metrics={"PrivateTest": {"accuracy": 0.7}},
    ),
    detector=ModelReport(
        name="face-detector",
        version="4.5.6",
        labels=None,
        precision="fp32",
        uncertain_below=None,
        files={"model.onnx": "cd" * 32},
        metrics={},
    ),
)


class FakePipeline:
    """Finds one face in anything but b"broken"; b"crash" is a bug, b"fail" raises `error`.

    While `gate` is closed, nobody gets an answer; `entered` tells how many wait.
    """

    labels = LABELS

    def __init__(self) -> None:
        self.healthy = True
        self.error: ServiceError | None = None
        self.calls: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)

    async def analyze(
        self,
        data: bytes,
        *,
        detect: bool = True,
        max_faces: int = 100,
        min_face_size: float = 20.0,
        rotate: bool = False,
    ) -> Analysis:
        options = {"detect": detect, "max_faces": max_faces, "size": min_face_size}
        self.calls.append({**options, "rotate": rotate})
        if data == b"broken":
            raise UndecodableImage("This is no image.")
        if data == b"fail" and self.error is not None:
            raise self.error
        if data == b"crash":
            raise RuntimeError("a secret of the implementation")
        if not self.gate.is_set():
            self.entered.release()
            try:
                await asyncio.to_thread(self.gate.wait)
            except asyncio.CancelledError:
                self.cancelled.release()
                raise
        face = FaceExpression(FACE if detect else None, PROBABILITIES, uncertain=False)
        return Analysis(width=64, height=48, faces=(face,), timing=TIMING)

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
        analysis = await self.analyze(
            data, detect=detect, max_faces=max_faces, min_face_size=min_face_size, rotate=rotate
        )
        self.calls[-1] |= {"label": label, "draw": draw, "boxes": boxes}
        heat = Heat(label or "happy", Frame(-4.0, 12.346, 50.0), HEAT)
        if draw:
            analysis = replace(analysis, timing=replace(TIMING, draw=0.004))
        return ExplainedAnalysis(analysis, [heat], PICTURE if draw else None)


def application(
    pipeline: Pipeline, *, admission: Admission | None = None, **settings: Any
) -> FastAPI:
    """The service in front of `pipeline`."""

    @asynccontextmanager
    async def load(*_: object) -> AsyncIterator[tuple[Pipeline, Models]]:
        yield pipeline, MODELS

    return create_app(Settings(**settings), admission=admission, load=load)


def paths_of(routes: Iterable[BaseRoute]) -> set[str]:
    """Every path of an application; a folder of files by its own path."""

    def walk(routes: Iterable[BaseRoute]) -> Iterator[str]:
        for route in routes:
            if isinstance(route, Route | Mount):
                yield route.path
            else:  # a router that FastAPI included
                yield from walk(route.original_router.routes)  # type: ignore[attr-defined]

    return set(walk(routes))


@contextmanager
def serving(pipeline: Pipeline, **settings: Any) -> Iterator[TestClient]:
    """A client of the service in front of `pipeline`."""
    with TestClient(application(pipeline, **settings)) as client:
        yield client
