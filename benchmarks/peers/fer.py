"""What people run today: `fer` behind FastAPI, with its defaults (Haar cascade, TFLite)."""

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile
from fer.fer import FER

from benchmarks.peers import options

app = FastAPI()
detector = FER()


@app.get("/health")
async def health() -> str:
    return "ok"


# Its interpreter must not be used by two threads at once: an `async` endpoint runs one at a time.
@app.post("/predict")
async def predict(file: UploadFile) -> list[dict[str, object]]:
    image = cv2.imdecode(np.frombuffer(await file.read(), np.uint8), cv2.IMREAD_COLOR)
    return [
        {"box": [int(edge) for edge in face["box"]], "emotions": face["emotions"]}
        for face in detector.detect_emotions(image)
    ]


if __name__ == "__main__":
    given = options.parse()
    uvicorn.run(
        "benchmarks.peers.fer:app",
        host=options.HOST,
        port=given.port,
        workers=given.workers,
        access_log=False,
        log_level="warning",
    )
