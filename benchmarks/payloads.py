"""What the benchmarks send: one portrait in three sizes, and the forms that requests take."""

import base64
import io
import json
from dataclasses import dataclass

from PIL import Image

from benchmarks.detect import PORTRAIT, photo

BOUNDARY = "mien-benchmark"


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a POST to `path`."""

    path: str
    content_type: str
    body: bytes


def crop() -> bytes:
    """The face alone as a gray JPEG of 48 x 48 pixels, as the expression model reads it."""
    face = Image.open(PORTRAIT).convert("L").crop((160, 40, 290, 170))
    file = io.BytesIO()
    face.resize((48, 48), Image.Resampling.BILINEAR).save(file, "JPEG", quality=90)
    return file.getvalue()


# Name -> JPEG. The portrait stands for photos with one face, which most photos with a face are.
IMAGES = {"crop": crop(), "photo": photo(640, 480), "1080p": photo(1920, 1080)}


def path(name: str) -> str:
    """Where mien takes it: crops are not searched for faces."""
    return "/predict?detect=false" if name == "crop" else "/predict"


def raw(name: str) -> Payload:
    """The image as the body."""
    return Payload(path(name), "image/jpeg", IMAGES[name])


def form(name: str) -> Payload:
    """The image as a browser's form sends it."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + IMAGES[name] + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Payload(path(name), f"multipart/form-data; boundary={BOUNDARY}", body)


def listed(name: str) -> Payload:
    """The image in a JSON list of images in base64."""
    text = base64.b64encode(IMAGES[name]).decode()
    return Payload("/predict", "application/json", json.dumps({"images": [text]}).encode())


def tensor(name: str) -> Payload:
    """The image as a tensor of bytes of the Open Inference Protocol, version 2."""
    text = base64.b64encode(IMAGES[name]).decode()
    image = {"name": "image", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    body = json.dumps({"inputs": [image]}).encode()
    return Payload("/v2/models/mien/infer", "application/json", body)
