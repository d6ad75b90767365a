"""mien's steps behind LitServe: raw bodies, its batching, its faster queue.

The images of a batch go through the models together in one of its worker processes.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import litserve
from fastapi import Body

from benchmarks.bare import BarePipeline
from benchmarks.peers import options


class Expressions(litserve.LitAPI):
    """One image a request."""

    def __init__(self, given: options.ServerOptions) -> None:
        super().__init__(max_batch_size=given.batch, batch_timeout=given.wait_ms / 1000)
        self._given = given

    def setup(self, device: str) -> None:
        self._pipeline = BarePipeline(self._given.expression, self._given.detector)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        return request

    def batch(self, inputs: Sequence[bytes]) -> Sequence[bytes]:
        return inputs

    def predict(self, inputs: Sequence[bytes]) -> list[list[dict[str, Any]]]:
        return self._pipeline.analyze(inputs)

    def unbatch(self, output: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        return output

    def encode_response(self, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {"faces": output}


if __name__ == "__main__":
    given = options.parse()
    server = litserve.LitServer(
        Expressions(given),
        accelerator="cpu",
        workers_per_device=given.workers,
        fast_queue=True,
    )
    server.run(
        host=options.HOST,
        port=given.port,
        num_api_servers=given.http or None,
        generate_client_file=False,
        log_level="warning",
    )
