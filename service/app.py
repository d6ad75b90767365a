"""`create_app` puts the parts together: settings in, an ASGI application out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from service import __version__, openapi
from service.admission import Admission
from service.analysis import Pipeline, Probabilities
from service.batcher import MicroBatcher
from service.classifier import ExpressionClassifier
from service.cors import Cors
from service.cpus import available_cpus
from service.detector import load_detector
from service.errors import ModelError, ServiceError
from service.executor import start_threads
from service.explainer import ExpressionExplainer
from service.images import ImageLimits
from service.keys import Keys
from service.line import Line
from service.logs import ExchangeMiddleware
from service.metrics import Metrics
from service.pages import STATIC, Files, pages
from service.pipeline import ExpressionPipeline
from service.probes import probes, scrape
from service.problems import crashed, on_http_exception, on_service_error
from service.rate import RateLimit
from service.routes import router
from service.schemas import ModelReport, Models
from service.session import GRAPHS, Session, load_session
from service.settings import Settings
from service.shortcut import Shortcut
from service.sight import Crop
from service.state import Service
from service.tracing import TracingMiddleware, open_tracing
from service.uploads import UploadLimits

_FAREWELL_S = 2.0  # for batches that still run when all callers have gone
_LOOKS = 10  # in a row that find a pipeline unhealthy before it is given up

logger = logging.getLogger(__name__)

Loaded = tuple[Pipeline, Models]
Load = Callable[[Settings, Metrics, Admission], AbstractAsyncContextManager[Loaded]]


@asynccontextmanager
async def load_pipeline(
    settings: Settings, metrics: Metrics, admission: Admission
) -> AsyncIterator[Loaded]:
    """The pipeline with its models loaded, checked and warm; closed, it has finished its work.

    Raises `ModelError` when a model directory is unusable, `RuntimeError` when the system gives too
    few threads.
    """
    threads = settings.threads or max(1, available_cpus() // settings.workers)
    expression = load_session(
        settings.models_dir / settings.expression_model, precision=settings.precision
    )
    detector_session, detector = load_detector(
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
    executor = start_threads(threads)
    pipeline = ExpressionPipeline(
        detector,
        classifier,
        ExpressionExplainer(expression, max_batch_size=settings.max_batch_size),
        batcher,
        Line(executor, admission),
        ImageLimits(max_pixels=settings.max_pixels),
        metrics,
        alone=settings.max_batch_size,
    )
    try:
        batcher.start()
        yield (
            pipeline,
            Models(
                expression=_report(expression, expression.config.files),
                detector=_report(detector_session, detector.files),
            ),
        )
    finally:
        # By now no caller is left, so a thread that is stuck is not waited for.
        executor.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(batcher.stop(), _FAREWELL_S)


def create_app(
    settings: Settings,
    *,
    admission: Admission | None = None,
    metrics: Metrics | None = None,
    load: Load = load_pipeline,
    lost: Callable[[], None] = lambda: None,
    patience_s: float = 10.0,
) -> FastAPI:
    """The service, as an ASGI application.

    Who wants to announce its end passes the `admission` that it is to use, and who shows its
    metrics elsewhere, those. `load` opens the pipeline at start and closes it at the end. When
    that has not been healthy for `patience_s`, it is past help: `lost` is called, and should end
    the process.
    """
    counts = metrics or Metrics(version=__version__)
    door = admission or Admission(settings.max_concurrent_requests)
    keys = Keys(settings.api_keys) if settings.api_keys else None
    rate = RateLimit(settings.rate_limit_per_minute) if settings.rate_limit_per_minute else None
    limits = UploadLimits(
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        max_images=settings.max_batch_images,
    )
    tracing = open_tracing(__version__)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        try:
            async with load(settings, counts, door) as (pipeline, models):
                for model in (models.expression, models.detector):
                    graph = GRAPHS[model.precision]
                    counts.model_loaded(model.name, model.version, model.files[graph])
                    fields = {"model": model.name, "version": model.version, "graph": graph}
                    logger.info("loaded", extra={"fields": fields})
                service = Service(
                    pipeline, models, door, counts, limits, settings.deadline_s, keys, rate
                )
                watch = asyncio.create_task(_watch(pipeline, patience_s, lost))
                yield {"service": service}
                watch.cancel()
        except ModelError as error:
            logger.critical(error.detail)
            raise
        finally:
            if tracing is not None:
                await tracing.close()

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
            ServiceError: on_service_error,
            HTTPException: on_http_exception,
        },
        # The spans of the framework would hold paths and query strings.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(Shortcut, routes=router.routes)
    app.add_middleware(
        ExchangeMiddleware,
        observer=counts,
        crashed=crashed,
        leaving=lambda: door.draining,
    )
    if tracing is not None:
        app.add_middleware(TracingMiddleware, tracing=tracing)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.include_router(router)
    app.include_router(probes)
    if settings.metrics_port is None:
        app.include_router(scrape)
    app.include_router(pages)
    app.mount("/static", Files(STATIC))
    if settings.api_keys:
        openapi.ask_for_key(app.openapi())
    return app


async def _watch(pipeline: Pipeline, patience_s: float, lost: Callable[[], None]) -> None:
    """Returns once the pipeline has been unhealthy for so long that it will not recover."""
    # Looks are counted, not time: a process that was paused gets its chance.
    unwell = 0
    while unwell < _LOOKS:
        await asyncio.sleep(patience_s / _LOOKS)
        unwell = 0 if pipeline.healthy else unwell + 1
    logger.critical("A worker is stuck or cannot be replaced; this process is given up.")
    lost()


def _report(session: Session, files: dict[str, str]) -> ModelReport:
    config = session.config
    return ModelReport(
        name=config.name,
        version=config.version,
        labels=config.labels,
        precision=session.precision,
        uncertain_below=config.uncertain_below,
        files=files,
        metrics=session.metrics,
    )
