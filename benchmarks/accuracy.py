"""Is the service as accurate as the model? `python -m benchmarks.accuracy --data FER2013.npz`.

Starts the service, posts every PrivateTest image as a PNG with detect=false, 16 at a time, and
compares the accuracy of the answers with the model's metrics.json: whatever is lost between
training and the wire shows here. Writes benchmarks/results/accuracy.json, and fails where the two
differ by more than .05 points.
"""

import argparse
import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.process import ROOT, running_service
from benchmarks.record import machine, record
from training.dataset import Dataset, Split
from training.labels import EXPRESSIONS

CLIENTS = 16
TOLERANCE = 0.0005


def predict(client: httpx2.Client, image: NDArray[np.uint8]) -> str:
    """The expression that the service names for one 48x48 image."""
    body = io.BytesIO()
    Image.fromarray(image).save(body, "PNG")
    answer = client.post(
        "/predict?detect=false", content=body.getvalue(), headers={"Content-Type": "image/png"}
    )
    answer.raise_for_status()
    expression: str = answer.json()["faces"][0]["dominant_emotion"]
    return expression


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    private = Dataset.load(parser.parse_args().data).split(Split.PRIVATE_TEST)
    begun_on = machine()

    with (
        running_service(max_concurrent_requests=CLIENTS) as address,
        httpx2.Client(base_url=address, timeout=60) as client,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        model = client.get("/model").raise_for_status().json()["expression"]
        answers = clients.map(lambda image: predict(client, image), private.images)
        said = list(tqdm(answers, total=len(private), unit="image", disable=None))

    directory = ROOT / "models" / f"{model['name']}-{model['version']}"
    metrics = json.loads((directory / "metrics.json").read_text())
    precision = model["precision"]
    expected = metrics["splits"]["PrivateTest"]["accuracy"]
    if precision == "int8":
        expected = metrics["int8"]["accuracy"]["PrivateTest"]["int8"]
    found = float(np.mean([e == EXPRESSIONS[k] for e, k in zip(said, private.labels, strict=True)]))
    result = {
        "model": directory.name,
        "precision": precision,
        "split": "PrivateTest",
        "images": len(private),
        "accuracy_over_http": round(found, 5),
        "accuracy_of_the_model": expected,
    }
    record("accuracy", begun_on, result)
    if abs(found - expected) > TOLERANCE:
        sys.exit(f"expected {expected:.4f} +- {TOLERANCE}, found {found:.4f}")


if __name__ == "__main__":
    main()
