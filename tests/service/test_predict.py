"""The whole service through its public door: real models, real photos, real bytes over HTTP."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from service.app import create_app
from service.logs import JsonFormatter
from service.settings import Settings
from tests.service.test_images import chunk, colours, encode, noise, png, with_jpeg_size

LABELS = {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings())) as client:
        yield client


def predict(client: TestClient, image: bytes, kind: str = "jpeg", query: str = "") -> Any:
    answer = client.post(
        f"/predict{query}", content=image, headers={"Content-Type": f"image/{kind}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def overlap(first: dict[str, float], second: dict[str, float]) -> float:
    """Intersection over union of two boxes of the wire."""
    left, top = max(first["x"], second["x"]), max(first["y"], second["y"])
    right = min(first["x"] + first["w"], second["x"] + second["w"])
    bottom = min(first["y"] + first["h"], second["y"] + second["h"])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    return both / (first["w"] * first["h"] + second["w"] * second["h"] - both)


def test_a_smiling_face_is_found_and_happy(client: TestClient, photo: bytes) -> None:
    answer = predict(client, photo)
    (face,) = answer["faces"]
    assert face["dominant_emotion"] == "happy"
    assert set(face["emotion"]) == LABELS
    assert sum(face["emotion"].values()) == pytest.approx(1, abs=1e-3)
    assert face["confidence"] == max(face["emotion"].values())
    assert answer["image"] == {"width": 512, "height": 512}
    box = {"x": 176.0, "y": 64.0, "w": 96.0, "h": 128.0}  # drawn by hand
    assert overlap(face["box"], box) > 0.6
    for x, y in face["landmarks"].values():
        assert face["box"]["x"] < x < face["box"]["x"] + face["box"]["w"]
        assert face["box"]["y"] < y < face["box"]["y"] + face["box"]["h"]
    # The subject's own right eye is on the left of the picture.
    assert face["landmarks"]["right_eye"][0] < face["landmarks"]["left_eye"][0]


def test_the_service_tells_of_every_graph_that_it_runs(
    client: TestClient, models_dir: Path
) -> None:
    for model in client.get("/model").json().values():
        folder = models_dir / f"{model['name']}-{model['version']}"
        graphs = {str(path.relative_to(folder)) for path in folder.rglob("*.onnx")}
        assert graphs <= set(model["files"])
        for name, checksum in model["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_every_door_gives_the_same_answer(client: TestClient, photo: bytes) -> None:
    raw = predict(client, photo)["faces"]
    for field in ("file", "img"):
        answer = client.post("/predict", files={field: ("me.jpg", photo, "image/jpeg")})
        assert answer.json()["faces"] == raw
    files = [("files", ("me.jpg", photo, "image/jpeg"))] * 2
    results = client.post("/predict/batch", files=files).json()["results"]
    assert [result["faces"] for result in results] == [raw, raw]


def crops_of(photo: bytes) -> list[bytes]:
    """32 different crops of the face, as PNG."""
    gray = Image.open(BytesIO(photo)).convert("L")
    offsets = np.random.default_rng(0).integers(-12, 12, (32, 2)).tolist()
    boxes = [(166 + x, 56 + y, 286 + x, 176 + y) for x, y in offsets]
    return [encode(gray.resize((48, 48), box=box), "PNG") for box in boxes]


def test_32_clients_at_once_get_what_each_gets_alone(client: TestClient, photo: bytes) -> None:
    crops = crops_of(photo)

    def probabilities(crop: bytes) -> list[float]:
        (face,) = predict(client, crop, "png", "?detect=false")["faces"]
        return list(face["emotion"].values())

    alone = [probabilities(crop) for crop in crops]
    with ThreadPoolExecutor(32) as clients:
        together = list(clients.map(probabilities, crops))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len({tuple(row) for row in alone}) > 16


def test_without_detection_the_whole_image_is_one_face(client: TestClient) -> None:
    answer = predict(client, encode(noise(48, 48), "PNG"), "png", "?detect=false")
    (face,) = answer["faces"]
    assert face["box"] == {"x": 0, "y": 0, "w": 48, "h": 48}
    assert face["landmarks"] is None
    assert face["face_confidence"] is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_face_is_the_same_in_every_orientation(
    client: TestClient, photo: bytes, orientation: int
) -> None:
    upright = Image.open(BytesIO(photo)).resize((480, 480)).crop((0, 0, 400, 480))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = predict(client, encode(upright, "PNG"), "png")
    answer = predict(client, encode(stored, "PNG", exif=exif), "png")
    assert answer["image"] == expected["image"] == {"width": 400, "height": 480}
    (face,), (expected_face,) = answer["faces"], expected["faces"]
    assert overlap(face["box"], expected_face["box"]) >= 0.95
    assert face["emotion"] == pytest.approx(expected_face["emotion"], abs=1e-4)


FACELESS = {
    "1x1": encode(colours(1, 1), "PNG"),
    "cmyk": encode(colours().convert("CMYK"), "JPEG"),
    "gray": encode(colours().convert("L"), "JPEG"),
    "alpha": encode(colours().convert("RGBA"), "PNG"),
    "16-bit": png((2, 1), 16, 0, b"\0\x12\x34\xff\xff"),
    "palette": encode(colours().convert("P"), "PNG"),
    "progressive": encode(noise(64, 48), "JPEG", progressive=True),
    "noise": encode(noise(640, 480), "JPEG"),
    "plain": encode(Image.new("RGB", (640, 480), "gray"), "JPEG"),
}


@pytest.mark.parametrize("name", FACELESS)
def test_an_image_without_a_face_has_none(client: TestClient, name: str) -> None:
    assert predict(client, FACELESS[name], "png")["faces"] == []


ANIMATED = encode(colours(), "GIF", save_all=True, append_images=[noise(40, 30)])
ENORMOUS = with_jpeg_size(encode(colours(), "JPEG"), 65_500, 65_500)
REFUSED = {
    "empty": (b"", 400, "bad_request"),
    "text": (b"Hello, I am not an image.", 400, "undecodable_image"),
    "truncated jpeg": (encode(noise(64, 64), "JPEG")[:900], 400, "undecodable_image"),
    "truncated png": (encode(noise(64, 64), "PNG")[:900], 400, "undecodable_image"),
    "0x0": (png((0, 0), 8, 2, b""), 400, "undecodable_image"),
    "65,500 x 65,500 header": (ENORMOUS, 413, "image_too_large"),
    "50-megapixel png": (png((10_000, 5_001), 8, 0, b""), 413, "image_too_large"),
    "animated gif": (ANIMATED, 415, "unsupported_media_type"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_its_reason(client: TestClient, name: str) -> None:
    body, status, code = REFUSED[name]
    answer = client.post("/predict", content=body, headers={"Content-Type": "image/jpeg"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_content_type_is_refused(client: TestClient, photo: bytes) -> None:
    answer = client.post("/predict", content=photo, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_two_parts_are_refused(client: TestClient, photo: bytes) -> None:
    answer = client.post("/predict", files=[("file", photo), ("file", photo)])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("declared", [True, False], ids=["with length", "without length"])
def test_a_body_of_20_mb_is_refused(client: TestClient, declared: bool) -> None:
    block = bytes(2**20)
    content = block * 20 if declared else (block for _ in range(20))
    answer = client.post("/predict", content=content, headers={"Content-Type": "image/jpeg"})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_a_bomb_of_compressed_text_is_not_opened(client: TestClient) -> None:
    bomb = png((1, 1), 8, 0, b"\0\0", chunk(b"zTXt", b"Comment\0\0" + bytes(100_000)))
    assert predict(client, bomb, "png")["faces"] == []


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_bad_input_leaves_no_memory_behind(client: TestClient) -> None:
    bodies = [body for body, _, _ in REFUSED.values()] + [bytes(20 * 2**20)]

    def send_all(times: int) -> None:
        for body in bodies * times:
            client.post("/predict", content=body, headers={"Content-Type": "image/jpeg"})

    send_all(5)
    before = resident_bytes()
    send_all(30)
    assert resident_bytes() - before < 30 * 2**20


opened_for_writing: list[str] = []


def watch_files(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: remembers each file that Python opens to write to (they can't be removed)."""
    if event == "open":
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            opened_for_writing.append(str(path))


def test_no_upload_touches_a_disk(client: TestClient, photo: bytes) -> None:
    large = encode(noise(1500, 1500), "PNG")  # several times what frameworks keep in memory
    sys.addaudithook(watch_files)
    opened_for_writing.clear()
    with tempfile.TemporaryFile():
        pass
    assert opened_for_writing  # the hook sees such files
    opened_for_writing.clear()
    predict(client, large, "png")
    client.post("/predict", files={"file": ("large.png", large, "image/png")})
    client.post("/predict/batch", files=[("files", ("large.png", large, "image/png"))])
    assert opened_for_writing == []


def test_the_log_tells_nothing_of_the_picture(
    client: TestClient, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    files = {"file": ("holiday-with-anna.jpg", photo, "image/jpeg")}
    client.post("/predict?max_faces=3", files=files, headers={"User-Agent": "annas-phone"})
    lines = [
        JsonFormatter().format(record) for record in caplog.records if "service" in record.name
    ]
    (line,) = [json.loads(line) for line in lines]
    assert (line["route"], line["status"], line["faces"]) == ("/predict", 200, 1)
    for secret in ("anna", "max_faces", "holiday"):
        assert secret not in "".join(lines)


def test_the_readme_shows_the_real_answer(client: TestClient, photo: bytes) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = json.loads(readme.split("```json\n")[1].split("```")[0])
    answer = predict(client, photo)
    assert set(shown) == set(answer)
    assert set(shown["timing_ms"]) == set(answer["timing_ms"])
    assert (shown["image"], shown["model"]) == (answer["image"], answer["model"])
    (face,), (shown_face,) = answer["faces"], shown["faces"]
    assert face["emotion"] == pytest.approx(shown_face["emotion"], abs=0.05)  # int8 or fp32
    assert overlap(face["box"], shown_face["box"]) > 0.95
