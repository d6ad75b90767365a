"""One image of each class goes to a service; a small one stands in for ours."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from training.dataset import Dataset, Split
from training.deployment import ask_about_each_class
from training.labels import EXPRESSIONS


class Service(BaseHTTPRequestHandler):
    """Answers "sad", as sure as the image's first pixel is bright."""

    def do_POST(self) -> None:
        assert self.path == "/predict?detect=false"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        pixel = int(np.asarray(Image.open(io.BytesIO(body)))[0, 0])
        answer = {"faces": [{"dominant_emotion": "sad", "confidence": pixel / 255}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_each_class_is_asked_about_once_from_the_test_set(address: str, dataset: Dataset) -> None:
    answers = ask_about_each_class(address, dataset)
    assert [answer.label for answer in answers] == list(EXPRESSIONS)
    for answer in answers:
        assert dataset.splits[answer.index] != Split.TRAINING
        assert EXPRESSIONS[dataset.labels[answer.index]] == answer.label
        pixel = int(dataset.images[answer.index, 0, 0])
        assert answer.said == "sad"
        assert answer.confidence == pytest.approx(pixel / 255)
