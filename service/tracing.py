"""Spans for OpenTelemetry, of each request and of the stages of its images.

They are made once the answer is out, from what logs and metrics know as well: numbers, codes and
the route's template. Nothing that a client sent is in them but the ids of its `traceparent`
(https://www.w3.org/TR/trace-context). Probes and scrapes are left out.
"""

import asyncio
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

from service.logs import QUIET_ROUTES, Exchange

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_FAREWELL_S = 2.0  # a receiver that is away must not hold up the end of the process

logger = logging.getLogger(__name__)


def open_tracing(version: str) -> "Tracing | None":
    """What sends spans, or None where no endpoint is set.

    All of it is set by OpenTelemetry's own variables, such as OTEL_EXPORTER_OTLP_ENDPOINT and
    OTEL_TRACES_SAMPLER (https://opentelemetry.io/docs/specs/otel/configuration).
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("An endpoint for traces is set, but mien[tracing] is not installed.")
        return None
    ours = Resource({"service.name": "mien", "service.version": version})
    # What the environment says goes before what we say.
    resource = Resource.create().merge(ours).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, version)


class Tracing:
    """Makes spans of exchanges that have ended, and sends them in the background."""

    def __init__(self, provider: "TracerProvider", version: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("mien", version)
        self._propagator = TraceContextTextMapPropagator()

    def record(self, scope: Scope, exchange: Exchange, began: float, ended: float) -> None:
        """The spans of a request; times are those of `time.perf_counter`."""
        # The clock is read once, so that it may be set meanwhile and no span turns negative.
        epoch_ns = time.time_ns() - round(1e9 * time.perf_counter())

        def clock(moment: float) -> int:
            return epoch_ns + round(1e9 * moment)

        request = self._tracer.start_span(
            f"{scope['method']} {exchange.route}",
            self._parent(scope),
            SpanKind.SERVER,
            _attributes(scope, exchange),
            start_time=clock(began),
        )
        if request.is_recording():
            inside = set_span_in_context(request)
            for image, timing in enumerate(exchange.timings):
                for stage, begin, end in timing.intervals():
                    span = self._tracer.start_span(
                        stage, inside, attributes={"mien.image": image}, start_time=clock(begin)
                    )
                    span.end(clock(end))
            if exchange.status >= 500:
                request.set_status(StatusCode.ERROR)
        request.end(clock(ended))

    def _parent(self, scope: Scope) -> Context:
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name == b"traceparent"
        }
        return self._propagator.extract(carrier)

    async def close(self) -> None:
        """Sends what is left, unless the receiver takes longer than 2 seconds."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(closed.set)

        # Neither a pool's thread nor one that is no daemon: the process would wait for it.
        threading.Thread(target=close, name="tracing-end", daemon=True).start()
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await closed.wait()
        except TimeoutError:
            logger.warning("The receiver of traces does not answer; the last spans are lost.")


def _attributes(scope: Scope, exchange: Exchange) -> dict[str, str | int]:
    """Names of https://opentelemetry.io/docs/specs/semconv/http/http-spans, and some of ours."""
    attributes = {
        "http.request.method": scope["method"],
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "url.scheme": scope.get("scheme", "http"),
        "error.type": exchange.code if exchange.status >= 500 else None,
        "mien.code": exchange.code,
        "mien.request_id": exchange.request_id,
        "mien.image_bytes": exchange.image_bytes,
        "mien.faces": exchange.faces,
    }
    return {name: value for name, value in attributes.items() if value is not None}


class TracingMiddleware:
    """Around `ExchangeMiddleware`: what that has written down, becomes spans."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            exchange: Exchange = scope["state"]["exchange"]
            if exchange.route not in QUIET_ROUTES:
                self.tracing.record(scope, exchange, began, time.perf_counter())
