"""What the application costs around the pipeline: from routing to the log, without a server."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import Any, cast

from starlette.types import ASGIApp, Message

from benchmarks.payloads import IMAGES, Payload, raw
from benchmarks.stages import cost_ms
from service.admission import Admission
from service.analysis import Analysis, Pipeline
from service.app import Loaded, create_app, load_pipeline
from service.logs import configure_logging
from service.metrics import Metrics
from service.settings import Settings


class Known:
    """A pipeline that has seen its image before, and answers at once."""

    healthy = True

    def __init__(self, analysis: Analysis, labels: tuple[str, ...]) -> None:
        self._analysis = analysis
        self.labels = labels

    async def analyze(self, data: bytes, **options: object) -> Analysis:
        return self._analysis


def application_ms(name: str) -> float:
    """Median CPU time of one request with an image of `benchmarks.payloads`, in ms.

    Routing, the door, the body, options, answer, headers, log and metrics of the request.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # the log is written, and not shown
        configure_logging("info")
        return asyncio.run(_application_ms(name))


async def _application_ms(name: str) -> float:
    async with load_pipeline(Settings(), Metrics(version="0"), Admission(1)) as (pipeline, models):
        analysis = await pipeline.analyze(IMAGES[name], detect=name != "crop")
    known = cast(Pipeline, Known(analysis, pipeline.labels))  # nobody asks it to explain

    @contextlib.asynccontextmanager
    async def load(*_: object) -> AsyncIterator[Loaded]:
        yield known, models

    app = create_app(Settings(), load=load)
    async with app.router.lifespan_context(app) as state:
        return await cost_ms(lambda: _request(app, raw(name), dict(state or {})))


async def _request(app: ASGIApp, payload: Payload, state: dict[str, Any]) -> None:
    """One request of a client that sends all at once, and stays."""
    path, _, query = payload.path.partition("?")
    body: Message = {"type": "http.request", "body": payload.body, "more_body": False}
    messages: asyncio.Queue[Message] = asyncio.Queue()
    messages.put_nowait(body)

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"expected 200, found {message}")

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"content-type", payload.content_type.encode())],
        "state": state,
    }
    await app(scope, messages.get, send)
    await asyncio.sleep(0)  # what it left behind ends here
