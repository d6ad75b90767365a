"""What people really send, through the public door."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.test_images import encode
from tests.service.test_predict import overlap, predict

FACE = (130, 10, 330, 240)  # of the portrait: head and some air


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings())) as client:
        yield client


@pytest.fixture(scope="module")
def portrait(photo: bytes) -> Image.Image:
    return Image.open(io.BytesIO(photo)).convert("RGB")


def only_face(answer: Any) -> Any:
    (face,) = answer["faces"]
    return face


def is_inside(box: dict[str, float], width: int, height: int) -> bool:
    # Boxes are rounded to .01 pixels.
    right, bottom = box["x"] + box["w"], box["y"] + box["h"]
    return box["x"] >= 0 and box["y"] >= 0 and right <= width + 0.02 and bottom <= height + 0.02


# With faces


@pytest.mark.parametrize("width", [1200, 2400])
def test_all_of_a_group_of_30_are_found(
    client: TestClient, portrait: Image.Image, width: int
) -> None:
    side = width // 6
    group = Image.new("RGB", (6 * side, 5 * side), "gray")
    head = portrait.crop(FACE).resize((side * 3 // 4, side * 7 // 8))
    corners = [(column * side, row * side) for row in range(5) for column in range(6)]
    for x, y in corners:
        group.paste(head, (x + side // 8, y))
    faces = predict(client, encode(group, "JPEG", quality=90))["faces"]
    assert len(faces) == 30
    assert all(is_inside(face["box"], *group.size) for face in faces)
    centers = {
        (
            int((f["box"]["x"] + f["box"]["w"] / 2) // side),
            int((f["box"]["y"] + f["box"]["h"] / 2) // side),
        )
        for f in faces
    }
    assert len(centers) == 30
    assert len(predict(client, encode(group, "JPEG"), query="?max_faces=7")["faces"]) == 7


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_photo_is_the_same_in_every_orientation(
    client: TestClient, portrait: Image.Image, orientation: int
) -> None:
    """As JPEG and large enough that it is decoded at a fraction of its size."""
    upright = portrait.crop((0, 0, 384, 512)).resize((1536, 2048))
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    photo = upright.transpose(stored[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    answer = predict(client, encode(photo, "JPEG", quality=95, exif=exif))
    expected = predict(client, encode(upright, "JPEG", quality=95))
    assert answer["image"] == {"width": 1536, "height": 2048}
    face, expected_face = only_face(answer), only_face(expected)
    assert overlap(face["box"], expected_face["box"]) >= 0.95
    assert face["dominant_emotion"] == expected_face["dominant_emotion"]


def test_a_lying_photo_without_exif_is_turned_when_asked(
    client: TestClient, portrait: Image.Image
) -> None:
    upright = only_face(predict(client, encode(portrait, "PNG"), "png"))
    lying = encode(portrait.transpose(Image.Transpose.ROTATE_90), "PNG")
    face = only_face(predict(client, lying, "png", "?rotate=true"))
    assert face["emotion"] == pytest.approx(upright["emotion"], abs=0.02)
    box = upright["box"]
    expected = {"x": box["y"], "y": 512 - box["x"] - box["w"], "w": box["h"], "h": box["w"]}
    assert overlap(face["box"], expected) > 0.99


def test_formats_and_modes_show_the_same_face(client: TestClient, portrait: Image.Image) -> None:
    expected = only_face(predict(client, encode(portrait, "PNG"), "png"))
    transparent = portrait.copy()
    transparent.putalpha(255)
    for image in (
        encode(portrait.convert("L"), "PNG"),  # a scan
        encode(portrait.convert("L"), "JPEG", quality=90),
        encode(transparent, "PNG"),
        encode(portrait, "WEBP", quality=90),
        encode(portrait.quantize(256), "PNG"),  # a screenshot of few colours
    ):
        face = only_face(predict(client, image))
        assert overlap(face["box"], expected["box"]) > 0.85
        assert face["dominant_emotion"] == expected["dominant_emotion"]


@pytest.mark.parametrize("side", [64, 96, 128])
def test_a_small_profile_picture_has_its_face(
    client: TestClient, portrait: Image.Image, side: int
) -> None:
    picture = portrait.crop((110, 10, 350, 250)).resize((side, side))
    face = only_face(predict(client, encode(picture, "JPEG", quality=90)))
    assert is_inside(face["box"], side, side)


@pytest.mark.parametrize(
    "cut",
    [(200, 0, 512, 512), (0, 0, 250, 512), (0, 85, 512, 512), (0, 0, 512, 165)],
    ids=["left", "right", "top", "bottom"],
)
def test_at_the_border_a_box_ends_where_the_image_ends(
    client: TestClient, portrait: Image.Image, cut: tuple[int, int, int, int]
) -> None:
    whole = only_face(predict(client, encode(portrait, "PNG"), "png"))["box"]
    x_min, y_min, x_max, y_max = cut
    image = portrait.crop(cut)
    box = only_face(predict(client, encode(image, "PNG"), "png"))["box"]
    assert is_inside(box, *image.size)
    left, top = max(whole["x"], x_min), max(whole["y"], y_min)
    right = min(whole["x"] + whole["w"], x_max)
    bottom = min(whole["y"] + whole["h"], y_max)
    part = {"x": left - x_min, "y": top - y_min, "w": right - left, "h": bottom - top}
    assert overlap(box, part) > 0.7


# Without


def written(text: str) -> Image.Image:
    page = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(page)
    for size, y in ((12, 10), (20, 60), (40, 120), (90, 200), (160, 290)):
        draw.text((10, y), text, fill="black", font=ImageFont.load_default(size))
    return page


def gradient(kind: str) -> Image.Image:
    y, x = np.mgrid[:480, :640] / 480
    values = {
        "radial": np.exp(-((x - 0.66) ** 2 + (y - 0.5) ** 2) / 0.08),
        "linear": x / x.max(),
        "waves": (1 + np.sin(20 * x) * np.sin(20 * y)) / 2,
    }[kind]
    return Image.fromarray((255 * values).astype(np.uint8))


def noise(kind: str) -> Image.Image:
    random = np.random.default_rng(0)
    if kind == "gray":
        return Image.fromarray(random.integers(0, 256, (480, 640), np.uint8))
    small = random.integers(0, 256, (int(kind), int(kind), 3), np.uint8)
    return Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)


# Those that come with the package, and show neither a person nor something like one.
SAMPLES = (
    *("brick", "cell", "chelsea", "clock", "coffee", "coins", "colorwheel", "grass", "gravel"),
    *("horse", "hubble_deep_field", "immunohistochemistry", "logo", "moon", "page", "retina"),
    *("rocket", "shepp_logan_phantom", "text"),
)


def sample(name: str) -> Image.Image:
    pixels: NDArray[Any] = getattr(data, name)()
    if pixels.dtype != np.uint8:  # true and false, or 0..1
        pixels = (255 * pixels).astype(np.uint8)
    return Image.fromarray(pixels)


FACELESS: dict[str, Callable[[], Image.Image]] = {
    **{f"gradient {kind}": partial(gradient, kind) for kind in ("radial", "linear", "waves")},
    **{f"noise {kind}": partial(noise, kind) for kind in ("gray", "5", "9", "17", "33", "65")},
    "text": partial(written, "No face in these words: 08:15 o'clock (o_o) :-)"),
    "digits": partial(written, "0 8 6 9 % & @ Q O"),
    **{f"sample {name}": partial(sample, name) for name in SAMPLES},
}


@pytest.mark.parametrize("name", FACELESS)
def test_no_face_is_seen_where_there_is_none(client: TestClient, name: str) -> None:
    image = encode(FACELESS[name](), "PNG")
    assert predict(client, image, "png", "?min_face_size=1&rotate=true")["faces"] == []
