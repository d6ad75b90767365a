"""`create_app` puts the parts together: settings in, an ASGI application out."""

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from service import __version__, openapi
from service.admission import Admission
from service.analysis import Probabilities
from service.batcher import MicroBatcher
from service.classifier import ExpressionClassifier
from service.cpus import available_cpus
from service.detector import FaceDetector
from service.errors import ModelError, ServiceError
from service.explainer import ExpressionExplainer
from service.images import ImageLimits
from service.logs import Exchange, ExchangeMiddleware
from service.metrics import Metrics
from service.pipeline import Crop, ExpressionPipeline
from service.routes import Pipeline, Service, router
from service.schemas import ModelReport, Models, Problem
from service.session import GRAPHS, Session, load_session
from service.settings import Settings
from service.uploads import UploadLimits

STATIC = Path(__file__).parent / "static"

# Nothing inline and nothing from elsewhere; pictures that people chose have blob: URLs.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

# Swagger UI sets style attributes, draws its icons from data: URLs, and answers from blob: URLs.
_DOCS_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:"

logger = logging.getLogger(__name__)

Loaded = tuple[Pipeline, Models]
Load = Callable[[Settings, Metrics], AbstractAsyncContextManager[Loaded]]


@asynccontextmanager
async def load_pipeline(settings: Settings, metrics: Metrics) -> AsyncIterator[Loaded]:
    """The pipeline with its models loaded, checked and warm; closed, it has finished its work.

    Raises `ModelError` when a model directory is unusable.
    """
    threads = settings.threads or max(1, available_cpus() // settings.workers)
    expression = load_session(
        settings.models_dir / settings.expression_model, precision=settings.precision
    )
    detector = load_session(
        settings.models_dir / settings.detector_model, precision=settings.precision
    )
    classifier = ExpressionClassifier(expression)

    def classify(crops: list[Crop]) -> list[Probabilities]:
        return list(classifier.predict(np.stack(crops)))

    batcher = MicroBatcher(
        classify,
        max_batch_size=settings.max_batch_size,
        max_queue_size=settings.max_queue_size,
        workers=threads,
        wait_ms=settings.batch_wait_ms,
        observer=metrics,
    )
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as executor:
        pipeline = ExpressionPipeline(
            FaceDetector(detector),
            classifier,
            ExpressionExplainer(expression, max_batch_size=settings.max_batch_size),
            batcher,
            executor,
            ImageLimits(max_pixels=settings.max_pixels),
            metrics,
        )
        batcher.start()
        try:
            yield pipeline, Models(expression=_report(expression), detector=_report(detector))
        finally:
            await batcher.stop()


def create_app(
    settings: Settings, *, admission: Admission | None = None, load: Load = load_pipeline
) -> FastAPI:
    """The service, as an ASGI application.

    Who wants to announce its end passes the `admission` that it is to use. `load` opens the
    pipeline at start and closes it at the end.
    """
    metrics = Metrics(version=__version__)
    door = admission or Admission(settings.max_concurrent_requests)
    limits = UploadLimits(
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        max_images=settings.max_batch_images,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        try:
            async with load(settings, metrics) as (pipeline, models):
                for model in (models.expression, models.detector):
                    graph = GRAPHS[model.precision]
                    metrics.model_loaded(model.name, model.version, model.files[graph])
                    fields = {"model": model.name, "version": model.version, "graph": graph}
                    logger.info("loaded", extra={"fields": fields})
                yield {
                    "service": Service(pipeline, models, door, metrics, limits, settings.deadline_s)
                }
        except ModelError as error:
            logger.critical(error.detail)
            raise

    app = FastAPI(
        title="mien",
        version=__version__,
        description=openapi.description(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={
            ServiceError: _on_service_error,
            HTTPException: _on_http_exception,
        },
        # The spans of the framework would hold paths and query strings.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(
        ExchangeMiddleware,
        observer=metrics,
        crashed=_crashed,
        leaving=lambda: door.draining,
    )
    app.include_router(router)
    app.add_api_route("/", _page, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC))
    return app


def _report(session: Session) -> ModelReport:
    config = session.config
    return ModelReport(
        name=config.name,
        version=config.version,
        labels=config.labels,
        precision=session.precision,
        uncertain_below=config.uncertain_below,
        files=config.files,
        metrics=session.metrics,
    )


class _Static(StaticFiles):
    """Browsers ask each time whether a file changed, so that none mixes those of two versions."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _page() -> Response:
    headers = {
        "Content-Security-Policy": _PAGE_POLICY,
        "Permissions-Policy": "camera=(self)",
        "Cache-Control": "no-cache",
    }
    return FileResponse(STATIC / "index.html", headers=headers)


async def _docs() -> Response:
    headers = {"Content-Security-Policy": _DOCS_POLICY}
    return FileResponse(STATIC / "swagger" / "index.html", headers=headers)


async def _on_service_error(request: Request, error: ServiceError) -> Response:
    exchange: Exchange = request.scope["state"]["exchange"]
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # RFC 9110, section 15.5.9
    return _refusal(exchange, Problem.of(error, exchange.request_id), headers)


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    """The framework's own: no such path, no such method."""
    exchange: Exchange = request.scope["state"]["exchange"]
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    detail = f"{status.description}."
    problem = Problem.about(status, code, status.phrase, detail, exchange.request_id)
    return _refusal(exchange, problem, dict(error.headers or {}))


def _crashed(exchange: Exchange) -> Response:
    error = ServiceError("Something unexpected happened; the log has it under this request's id.")
    return _refusal(exchange, Problem.of(error, exchange.request_id), {})


def _refusal(exchange: Exchange, problem: Problem, headers: dict[str, str]) -> Response:
    exchange.code = problem.code
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        headers=headers,
        media_type="application/problem+json",
    )
