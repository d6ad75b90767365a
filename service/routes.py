"""The endpoints. They translate between HTTP and the pipeline, and compute nothing."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from service import openapi
from service.accept import prefers
from service.analysis import Analysis
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
    RateLimited,
    ServiceError,
    TooManyImages,
    Unauthorized,
    Unavailable,
    UndecodableImage,
    UnsupportedMediaType,
)
from service.logs import Exchange
from service.options import ExplainOptions, Options
from service.schemas import BatchPrediction, Explanation, Models, Prediction, Problem
from service.state import Service, exchange_of, service_of
from service.uploads import read_image, read_images, while_connected

# Of a request that carries images, and of an image. A batch has the latter in its results.
_REQUEST_PROBLEMS = (
    *(BadRequest, Unauthorized, BodyTimeout, PayloadTooLarge, UnsupportedMediaType),
    *(InvalidParameter, RateLimited, ServiceError, Overloaded, NotReady, Draining),
    DeadlineExceeded,
)
_IMAGE_PROBLEMS = (UndecodableImage, ImageTooLarge, InferenceFailed)

JSON, PICTURE = "application/json", "image/png"

router = APIRouter()


@router.post(
    "/predict",
    summary="Faces and expressions of one image",
    response_model=Prediction,
    responses=openapi.answer(openapi.PREDICTION)
    | openapi.problems(*_REQUEST_PROBLEMS, *_IMAGE_PROBLEMS),
    openapi_extra=openapi.image_request(),
)
async def predict(request: Request) -> Response:
    """Send the image as the body, with its own Content-Type, or as the form field `file` or `img`.

    No face in the image is an answer too: 200 with an empty list.
    """
    service, exchange = service_of(request), exchange_of(request)
    async with service.admitted(request):
        options = Options.of(request.query_params)
        image = await read_image(request, service.limits)
        exchange.images_came(len(image))
        async with while_connected(request):
            analysis = await _analyze(service, image, options)
    return _answer(_prediction(service, exchange, analysis))


@router.post(
    "/predict/batch",
    summary="Faces and expressions of several images",
    response_model=BatchPrediction,
    responses=openapi.answer(openapi.BATCH) | openapi.problems(*_REQUEST_PROBLEMS, TooManyImages),
    openapi_extra=openapi.images_request(),
)
async def predict_batch(request: Request) -> Response:
    """Send the images as a form that repeats the field `files`.

    Each entry of `results` is what /predict would have answered for that image: a prediction, or
    a problem of that image alone, told by its `code`.
    """
    service, exchange = service_of(request), exchange_of(request)
    async with service.admitted(request):
        options = Options.of(request.query_params)
        images = await read_images(request, service.limits)
        exchange.images_came(sum(len(image) for image in images if isinstance(image, bytes)))
        async with while_connected(request):
            outcomes = await asyncio.gather(
                *(_outcome(service, image, options) for image in images), return_exceptions=True
            )
    for code in {outcome.code for outcome in outcomes if isinstance(outcome, Unavailable)}:
        service.metrics.request_shed(code)  # once, however many of its images it was
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
    responses=openapi.explanation() | openapi.problems(*_REQUEST_PROBLEMS, *_IMAGE_PROBLEMS),
    openapi_extra=openapi.image_request(ExplainOptions),
)
async def explain(request: Request) -> Response:
    """What /predict answers, and for each face a map of what spoke for an expression (Grad-CAM).

    Where `Accept` prefers image/png to application/json, as a browser's image does, the answer is
    the photo with the maps, boxes and captions drawn over it, its longest side at most 1024 pixels.
    Everything else is answered with JSON.
    """
    service, exchange = service_of(request), exchange_of(request)
    draw = prefers(request.headers.get("accept", ""), PICTURE, JSON)
    async with service.admitted(request):
        options = ExplainOptions.of(request.query_params)
        options.check(service.pipeline.labels)
        image = await read_image(request, service.limits)
        exchange.images_came(len(image))
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
    return _answer(service_of(request).models)


async def _outcome(
    service: Service, image: bytes | ServiceError, options: Options
) -> Analysis | ServiceError:
    """What is found in an image of a batch, or the error that stands in its place."""
    return image if isinstance(image, ServiceError) else await _analyze(service, image, options)


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
    """What logs and traces tell of an image."""
    exchange.faces = (exchange.faces or 0) + len(analysis.faces)
    exchange.timings.append(analysis.timing)


def _problem(service: Service, exchange: Exchange, error: BaseException) -> Problem:
    """The problem of one image in a batch; its neighbours do not suffer from it."""
    if not isinstance(error, Exception):
        raise error
    told = error
    if not isinstance(told, ServiceError):
        told = ServiceError("This image could not be analysed.")
    if told.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        exchange.log_failure(error)
        exchange.code = told.code
    service.metrics.image_failed(told.code)
    return Problem.of(told, exchange.request_id)


def _answer(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type=JSON)
