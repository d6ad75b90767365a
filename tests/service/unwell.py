"""A service whose first image request never ends: run as a process, by tests of what it does then.

Every thread of it that is stuck is one that Python waits for at the usual end of a process.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from service.analysis import Analysis, Pipeline
from service.app import create_app
from service.schemas import Models
from service.server import serve
from service.settings import Settings
from tests.service.front import MODELS, FakePipeline


class StuckPipeline(FakePipeline):
    """Stuck from the first image on."""

    async def analyze(self, *_: Any, **__: Any) -> Analysis:
        self.healthy = False
        stuck = ThreadPoolExecutor(1).submit(threading.Event().wait)
        await asyncio.wrap_future(stuck)
        raise AssertionError("it cannot end")


@asynccontextmanager
async def load(*_: object) -> AsyncIterator[tuple[Pipeline, Models]]:
    yield StuckPipeline(), MODELS


if __name__ == "__main__":
    settings = Settings(workers=int(sys.argv[1]), deadline_s=0.2)
    sys.exit(serve(settings, create=partial(create_app, load=load, patience_s=0.2)))
