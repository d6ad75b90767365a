"""The endpoints. They translate between HTTP and the pipeline, and compute nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service import openapi
from service.accept import prefers
from service.admission import Admission
from service.analysis import Analysis, ExplainedAnalysis
from service.errors import (
    BadRequest,
    BodyTimeout,
    DeadlineExceeded,
    Draining,
    ImageTooLarge,
    InferenceFailed,
    InvalidParameter,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    ServiceError,
    TooManyImages,
    Unavailable,
    UndecodableImage,
    UnsupportedMediaType,
)
from service.logs import Exchange
from service.metrics import Metrics
from service.options import ExplainOptions, Options
from service.schemas import (
    BatchPrediction,
    Explanation,
    Health,
    Models,
    Prediction,
    Problem,
    TimingMs,
)
from service.uploads import UploadLimits, read_image, read_images, while_connected

logger = logging.getLogger(__name__)

_IMAGE_PROBLEMS = (
    *(BadRequest, UndecodableImage, BodyTimeout, PayloadTooLarge, ImageTooLarge),
    *(UnsupportedMediaType, InvalidParameter, ServiceError, InferenceFailed),
    *(Overloaded, Draining, DeadlineExceeded),
)

JSON, PICTURE = "application/json", "image/png"

router = APIRouter()


class Pipeline(Protocol):
    """What the endpoints put their questions to; `ExpressionPipeline` is one."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def healthy(self) -> bool: ...
    async def analyze(
        self,
        data: bytes,
        *,
        detect: bool = ...,
        max_faces: int = ...,
        min_face_size: float = ...,
        rotate: bool = ...,
    ) -> Analysis: ...
    async def explain(
        self,
        data: bytes,
        *,
        detect: bool = ...,
        max_faces: int = ...,
        min_face_size: float = ...,
        rotate: bool = ...,
        label: str | None = ...,
        draw: bool = ...,
        boxes: bool = ...,
    ) -> ExplainedAnalysis: ...


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the endpoints translate to. The app puts it into each request's state."""

    pipeline: Pipeline
    models: Models
    admission: Admission
    metrics: Metrics
    limits: UploadLimits
    deadline_s: float


@router.post(
    "/predict",
    summary="Faces and expressions of one image",
    response_model=Prediction,
    responses=openapi.answer(openapi.PREDICTION) | openapi.problems(*_IMAGE_PROBLEMS),
    openapi_extra=openapi.image_request(),
)
async def predict(request: Request) -> Response:
    """Send the image as the body, with its own Content-Type, or as the form field `file` or `img`.

    No face in the image is an answer too: 200 with an empty list.
    """
    service, exchange = _service(request), _exchange(request)
    async with _admitted(service):
        options = Options.of(request.query_params)
        image = await read_image(request, service.limits)
        exchange.image_bytes = len(image)
        async with while_connected(request):
            analysis = await _analyze(service, image, options)
    return _answer(_prediction(service, exchange, analysis))


@router.post(
    "/predict/batch",
    summary="Faces and expressions of several images",
    response_model=BatchPrediction,
    responses=openapi.answer(openapi.BATCH) | openapi.problems(*_IMAGE_PROBLEMS, TooManyImages),
    openapi_extra=openapi.images_request(),
)
async def predict_batch(request: Request) -> Response:
    """Send the images as a form that repeats the field `files`.

    Each entry of `results` is what /predict would have answered for that image: a prediction, or
    a problem of that image alone, told by its `code`.
    """
    service, exchange = _service(request), _exchange(request)
    async with _admitted(service):
        options = Options.of(request.query_params)
        images = await read_images(request, service.limits)
        exchange.image_bytes = sum(map(len, images))
        async with while_connected(request):
            outcomes = await asyncio.gather(
                *(_analyze(service, image, options) for image in images), return_exceptions=True
            )
    results = [
        _prediction(service, exchange, outcome)
        if isinstance(outcome, Analysis)
        else _problem(service, exchange, outcome)
        for outcome in outcomes
    ]
    return _answer(BatchPrediction(results=results, request_id=exchange.request_id))


@router.post(
    "/explain",
    summary="Where a face shows its expression",
    response_model=Explanation,
    responses=openapi.explanation() | openapi.problems(*_IMAGE_PROBLEMS),
    openapi_extra=openapi.image_request(ExplainOptions),
)
async def explain(request: Request) -> Response:
    """What /predict answers, and for each face a map of what spoke for an expression (Grad-CAM).

    With `Accept: image/png` the answer is the photo with the maps, boxes and captions drawn over
    it, its longest side at most 1024 pixels. With anything else in that header it is JSON.
    """
    service, exchange = _service(request), _exchange(request)
    draw = prefers(request.headers.get("accept", ""), PICTURE, JSON)
    async with _admitted(service):
        options = ExplainOptions.of(request.query_params)
        options.check(service.pipeline.labels)
        image = await read_image(request, service.limits)
        exchange.image_bytes = len(image)
        async with while_connected(request):
            explained = await service.pipeline.explain(
                image,
                detect=options.detect,
                max_faces=options.max_faces,
                min_face_size=options.min_face_size,
                rotate=options.rotate,
                label=options.label,
                draw=draw,
                boxes=options.boxes,
            )
    _note(exchange, explained.analysis)
    if explained.picture is not None:
        return Response(explained.picture, media_type=PICTURE, headers={"Vary": "Accept"})
    answer = _answer(
        Explanation.of(
            explained, service.pipeline.labels, service.models.expression, exchange.request_id
        )
    )
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/model",
    summary="What is loaded",
    response_model=Models,
    responses=openapi.answer(openapi.MODELS),
)
async def model(request: Request) -> Response:
    """Name, version, labels, checksums and measured figures of each loaded model."""
    return _answer(_service(request).models)


@router.get(
    "/health/live",
    summary="Liveness",
    response_model=Health,
    responses=openapi.answer({"status": "live"}),
)
async def live() -> Response:
    """The process answers. To be restarted when it does not."""
    return _answer(Health(status="live"))


@router.get(
    "/health/ready",
    summary="Readiness",
    response_model=Health,
    responses=openapi.answer({"status": "ready"}) | openapi.problems(NotReady, Draining),
)
async def ready(request: Request) -> Response:
    """Models are loaded, checked and warm, the workers run, and the process is not going away."""
    service = _service(request)
    if service.admission.draining:
        raise Draining("This replica is going away.")
    if not service.pipeline.healthy:
        raise NotReady("A worker died and is being replaced.", retry_after_s=1)
    return _answer(Health(status="ready"))


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    responses=openapi.metrics(),
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """The text format that Prometheus scrapes."""
    text, content_type = _service(request).metrics.render()
    return Response(text, headers={"Content-Type": content_type})


def _service(request: Request) -> Service:
    return cast(Service, request.scope["state"]["service"])


def _exchange(request: Request) -> Exchange:
    return cast(Exchange, request.scope["state"]["exchange"])


@asynccontextmanager
async def _admitted(service: Service) -> AsyncIterator[None]:
    """A place for the block and one deadline for all of it, or an error at once."""
    try:
        with service.admission:
            async with asyncio.timeout(service.deadline_s) as deadline:
                yield
    except TimeoutError:
        if not deadline.expired():
            raise
        service.metrics.request_shed(DeadlineExceeded.code)
        raise DeadlineExceeded(f"No answer within {service.deadline_s:g} seconds.") from None
    except Unavailable as error:
        service.metrics.request_shed(error.code)
        raise


async def _analyze(service: Service, image: bytes, options: Options) -> Analysis:
    return await service.pipeline.analyze(
        image,
        detect=options.detect,
        max_faces=options.max_faces,
        min_face_size=options.min_face_size,
        rotate=options.rotate,
    )


def _prediction(service: Service, exchange: Exchange, analysis: Analysis) -> Prediction:
    prediction = Prediction.of(
        analysis, service.pipeline.labels, service.models.expression, exchange.request_id
    )
    _note(exchange, analysis)
    return prediction


def _note(exchange: Exchange, analysis: Analysis) -> None:
    """What the log tells of an image."""
    exchange.faces = (exchange.faces or 0) + len(analysis.faces)
    exchange.add_timing(TimingMs.of(analysis.timing).model_dump())
    if analysis.timing.draw:
        exchange.add_timing({"draw": 1000 * analysis.timing.draw})


def _problem(service: Service, exchange: Exchange, error: BaseException) -> Problem:
    """The problem of one image in a batch; its neighbours do not suffer from it."""
    if isinstance(error, ServiceError):
        if isinstance(error, Unavailable):
            service.metrics.request_shed(error.code)
        return Problem.of(error, exchange.request_id)
    if not isinstance(error, Exception):
        raise error
    fields = {"request_id": exchange.request_id}
    logger.error("unexpected error", exc_info=error, extra={"fields": fields})
    return Problem.of(ServiceError("This image could not be analysed."), exchange.request_id)


def _answer(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type=JSON)
