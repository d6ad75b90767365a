"""The endpoints for machines that watch: orchestrators and Prometheus. They wait for nothing."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import openapi
from service.errors import Draining, NotReady
from service.schemas import Health
from service.state import service_of

probes = APIRouter()
scrape = APIRouter()  # left out where metrics have a port of their own


@probes.get(
    "/health/live",
    summary="Liveness",
    response_model=Health,
    responses=openapi.answer({"status": "live"}),
)
async def live() -> Response:
    """The process answers. To be restarted when it does not."""
    return _health(Health(status="live"))


@probes.get(
    "/health/ready",
    summary="Readiness",
    response_model=Health,
    responses=openapi.answer({"status": "ready"}) | openapi.problems(NotReady, Draining),
)
async def ready(request: Request) -> Response:
    """Models are loaded, checked and warm, the workers run, and the process is not going away."""
    service = service_of(request)
    if service.admission.draining:
        raise Draining("This replica is going away.")
    if not service.pipeline.healthy:
        raise NotReady("A worker is stuck, or died and is being replaced.", retry_after_s=1)
    return _health(Health(status="ready"))


@scrape.get(
    "/metrics",
    summary="Metrics for Prometheus",
    responses=openapi.metrics(),
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """The text format that Prometheus scrapes."""
    text, content_type = service_of(request).metrics.render()
    return Response(text, headers={"Content-Type": content_type})


def _health(health: Health) -> Response:
    return Response(health.model_dump_json(), media_type="application/json")
