"""mien's steps behind Ray Serve: raw bodies, its batching, one replica for each worker."""

import signal
from collections.abc import Sequence
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.bare import BarePipeline
from benchmarks.peers import options

given = options.parse()


class Expressions:
    """One image a request."""

    def __init__(self, given: options.ServerOptions) -> None:
        self._pipeline = BarePipeline(given.expression, given.detector)

    @serve.batch(max_batch_size=given.batch, batch_wait_timeout_s=given.wait_ms / 1000)
    async def analyze(self, images: Sequence[bytes]) -> list[list[dict[str, Any]]]:
        return self._pipeline.analyze(images)

    async def __call__(self, request: Request) -> dict[str, Any]:
        return {"faces": await self.analyze(await request.body())}


if __name__ == "__main__":
    # The proxy and the replicas share the CPUs, as they do on any machine.
    ray.init(num_cpus=given.workers, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": options.HOST, "port": given.port}, proxy_location="HeadOnly")
    deployment = serve.deployment(
        num_replicas=given.workers,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=2 * given.batch,  # one batch runs, one fills
    )
    serve.run(deployment(Expressions).bind(given), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM})
    serve.shutdown()
    ray.shutdown()
