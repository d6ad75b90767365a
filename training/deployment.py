"""Ask a running service about one image of each class, as the paper's figure 12 does."""

import io
import json
from dataclasses import dataclass
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.dataset import Dataset, Split
from training.labels import EXPRESSIONS


@dataclass(frozen=True)
class Answer:
    """What the service said of one image."""

    index: int  # position in the data set
    label: str
    said: str
    confidence: float


def ask_about_each_class(url: str, dataset: Dataset) -> list[Answer]:
    """The first image of each class in the test set; raises `OSError` where nobody answers."""
    in_test = dataset.splits != Split.TRAINING
    answers = []
    for label, name in enumerate(EXPRESSIONS):
        index = int(np.flatnonzero(in_test & (dataset.labels == label))[0])
        said, confidence = _ask(url, dataset.images[index])
        answers.append(Answer(index, name, said, confidence))
    return answers


def _ask(url: str, image: NDArray[np.uint8]) -> tuple[str, float]:
    """The image is a face crop already, as the classifier wants it: nothing is to be detected."""
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    request = Request(  # noqa: S310  # whoever runs the report names the address
        f"{url.rstrip('/')}/predict?detect=false",
        data=png.getvalue(),
        headers={"Content-Type": "image/png"},
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310
        (face,) = json.load(response)["faces"]
    return face["dominant_emotion"], face["confidence"]
