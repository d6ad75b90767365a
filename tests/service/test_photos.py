"""What people really send, through the public door."""

import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from starlette.testclient import TestClient

from service.__main__ import main
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


def as_phone_stores(upright: Image.Image, orientation: int) -> bytes:
    """A JPEG with EXIF that tells how its sensor was held."""
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
    return encode(photo, "JPEG", quality=95, exif=exif)


@pytest.fixture(scope="module")
def phone_photo(portrait: Image.Image) -> Image.Image:
    """Large enough that it is decoded at a fraction of its size."""
    return portrait.crop((0, 0, 384, 512)).resize((1536, 2048))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_photo_is_the_same_in_every_orientation(
    client: TestClient, phone_photo: Image.Image, orientation: int
) -> None:
    answer = predict(client, as_phone_stores(phone_photo, orientation))
    expected = predict(client, encode(phone_photo, "JPEG", quality=95))
    assert answer["image"] == {"width": 1536, "height": 2048}
    face, expected_face = only_face(answer), only_face(expected)
    assert overlap(face["box"], expected_face["box"]) >= 0.95
    assert face["emotion"] == pytest.approx(expected_face["emotion"], abs=0.02)


def test_a_phone_photo_is_the_same_through_every_door(
    client: TestClient,
    phone_photo: Image.Image,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = as_phone_stores(phone_photo, 6)
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo)

    raw = predict(client, photo)
    form = client.post("/predict", files={"file": ("photo.jpg", photo, "image/jpeg")}).json()
    batch = client.post("/predict/batch", files=[("files", photo)] * 2).json()["results"]
    assert main(["predict", str(path)]) == 0
    printed = json.loads(capsys.readouterr().out)

    for answer in (form, *batch, printed):
        assert (answer["image"], answer["faces"]) == (raw["image"], raw["faces"])


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


def test_the_heat_of_a_lying_photo_lies_with_it(client: TestClient, portrait: Image.Image) -> None:
    upright = only_face(explain(client, portrait).json())["heat"]
    lying = portrait.transpose(Image.Transpose.ROTATE_90)
    heat = only_face(explain(client, lying, "?rotate=true").json())["heat"]

    assert heat["class"] == upright["class"]
    expected = np.rot90(upright["values"])
    assert np.abs(expected - upright["values"]).max() > 0.2  # on its side it is another map
    np.testing.assert_allclose(heat["values"], expected, atol=0.1)
    frame = upright["frame"]
    turned = {"x": frame["y"], "y": 512 - frame["x"] - frame["w"], "w": frame["w"], "h": frame["h"]}
    assert overlap(heat["frame"], turned) > 0.98


def test_the_picture_of_a_lying_photo_lies_with_it(
    client: TestClient, portrait: Image.Image
) -> None:
    lying = portrait.transpose(Image.Transpose.ROTATE_90)
    drawn, of_lying = (
        Image.open(io.BytesIO(explain(client, *asked, accept="image/png").content))
        for asked in ((portrait, "?boxes=false"), (lying, "?boxes=false&rotate=true"))
    )
    turned_back = np.asarray(of_lying.transpose(Image.Transpose.ROTATE_270)).astype(int)
    heat = np.abs(np.asarray(drawn).astype(int) - np.asarray(portrait)).sum()
    assert np.abs(turned_back - np.asarray(drawn)).sum() < heat / 5


@pytest.mark.parametrize(("turned", "roll"), [(25, -13), (-25, 21)])
def test_a_head_at_an_angle_is_read_like_an_upright_one(
    client: TestClient, portrait: Image.Image, turned: float, roll: float
) -> None:
    """In the portrait the eyes are rolled by 4 degrees; 8 are left.

    The further they are rolled, the less of it the detector sees: up to a third is missing. The
    expression is what counts.
    """
    middle = ((FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2)
    rolled = portrait.rotate(turned, Image.Resampling.BICUBIC, center=middle)
    face = only_face(explain(client, rolled).json())
    assert face["heat"]["roll"] == pytest.approx(roll, abs=11)
    upright = only_face(predict(client, encode(portrait, "PNG"), "png"))
    assert face["emotion"] == pytest.approx(upright["emotion"], abs=0.1)


def explain(client: TestClient, image: Image.Image, query: str = "", accept: str = "*/*") -> Any:
    headers = {"Content-Type": "image/png", "Accept": accept}
    return client.post(f"/explain{query}", content=encode(image, "PNG"), headers=headers)


def test_formats_and_modes_show_the_same_face(client: TestClient, portrait: Image.Image) -> None:
    expected = only_face(predict(client, encode(portrait, "PNG"), "png"))
    gray = np.asarray(portrait.convert("L")).astype(np.uint16)
    for image in (
        encode(portrait.convert("L"), "PNG"),  # a scan
        encode(portrait.convert("L"), "JPEG", quality=90),
        encode(Image.fromarray(gray * 257), "PNG"),  # a scan with 16 bits a pixel
        encode(cut_out(portrait), "PNG"),
        encode(portrait, "WEBP", quality=90),
        encode(portrait.quantize(256), "PNG"),  # a picture of few colours
    ):
        face = only_face(predict(client, image))
        assert overlap(face["box"], expected["box"]) > 0.85
        assert face["dominant_emotion"] == expected["dominant_emotion"]


def cut_out(portrait: Image.Image) -> Image.Image:
    """The head and what is around it; what is transparent has colours of its own."""
    alpha = Image.new("L", portrait.size)
    ImageDraw.Draw(alpha).ellipse(FACE, fill=255)
    picture = Image.composite(portrait, noise("17").resize(portrait.size), alpha)
    picture.putalpha(alpha)
    return picture


def test_a_screenshot_has_the_face_of_its_picture(
    client: TestClient, portrait: Image.Image
) -> None:
    screen = written("Press 8 to go on (or 0 for help) :-)").resize((1366, 768))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 1366, 40), fill="midnightblue")
    for x in (16, 48, 80):
        draw.ellipse((x, 12, x + 16, 28), fill="tomato")
    screen.paste(portrait.resize((320, 320)), (980, 420))
    face = only_face(predict(client, encode(screen, "PNG"), "png"))
    box = only_face(predict(client, encode(portrait, "PNG"), "png"))["box"]
    scale = 320 / 512
    there = {"x": 980 + scale * box["x"], "y": 420 + scale * box["y"]}
    assert overlap(face["box"], {**there, "w": scale * box["w"], "h": scale * box["h"]}) > 0.8


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
    *("microaneurysms", "rocket", "shepp_logan_phantom", "text"),
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
    assert predict(client, image, "png", "?min_face_size=1")["faces"] == []


@pytest.mark.parametrize("name", FACELESS)
def test_nor_is_one_seen_there_when_it_is_turned(client: TestClient, name: str) -> None:
    image = encode(FACELESS[name](), "PNG")
    assert predict(client, image, "png", "?min_face_size=1&rotate=true")["faces"] == []
