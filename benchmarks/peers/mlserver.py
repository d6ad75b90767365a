"""mien's steps behind MLServer: the Open Inference Protocol, its batching, parallel workers."""

import asyncio
import json
import tempfile
from base64 import b64decode
from pathlib import Path

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.bare import BarePipeline
from benchmarks.peers import options


class Expressions(MLModel):
    """One image, in base64, a request; its server merges the requests of a batch into one."""

    async def load(self) -> bool:
        paths = self.settings.parameters.extra
        self._pipeline = BarePipeline(Path(paths["expression"]), Path(paths["detector"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = [b64decode(image) for image in payload.inputs[0].data]
        found = [json.dumps(faces) for faces in self._pipeline.analyze(images)]
        answer = ResponseOutput(name="faces", shape=[len(found), 1], datatype="BYTES", data=found)
        return InferenceResponse(model_name=self.name, outputs=[answer])


async def main(given: options.ServerOptions, environments: str) -> None:
    server = MLServer(
        Settings(
            host=options.HOST,
            http_port=given.port,
            grpc_port=0,
            metrics_endpoint=None,
            parallel_workers=given.workers,
            environments_dir=environments,
            gzip_enabled=False,
            debug=False,
        )
    )
    model = ModelSettings(
        name="mien",
        implementation="benchmarks.peers.mlserver.Expressions",
        max_batch_size=given.batch,
        max_batch_time=given.wait_ms / 1000,
        parameters=ModelParameters(
            extra={"expression": str(given.expression), "detector": str(given.detector)}
        ),
    )
    await server.start([model])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as unused:
        asyncio.run(main(options.parse(), unused))
