"""mien's steps behind BentoML: images in base64, as its batched endpoints take JSON, and batching.

`bentoml serve` imports this file, so the options come in environment variables.
"""

import os
from base64 import b64decode
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.bare import BarePipeline

WORKERS = int(os.environ["PEER_WORKERS"])
BATCH = int(os.environ["PEER_BATCH"])
WAIT_MS = float(os.environ["PEER_WAIT_MS"])


@bentoml.service(workers=WORKERS, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Expressions:
    """A list of one image a request; its server joins the lists of a batch."""

    def __init__(self) -> None:
        self._pipeline = BarePipeline(
            Path(os.environ["PEER_EXPRESSION"]), Path(os.environ["PEER_DETECTOR"])
        )

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=WAIT_MS, route="/predict")
    def predict(self, images: list[str]) -> list[list[dict[str, Any]]]:
        return self._pipeline.analyze([b64decode(image) for image in images])
