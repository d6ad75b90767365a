import io
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service.centerface import OUTPUTS
from service.detector import FaceDetector, load_detector
from service.errors import ModelError
from service.faces import Framing, crop_face
from service.session import REFINER, DetectionConfig, ModelConfig
from tests.service import graphs
from tests.service.fakes import FakeSession

Pixels = NDArray[np.uint8]
Maps = list[NDArray[np.float32]]

FRAMING = Framing(center=(0.5, 0.52), size=(0.8, 0.95))
DETECTION = DetectionConfig(
    stride=4,
    input_side=64,
    fine_side=10_000,
    small_face=0.25,
    coarse_side=32,
    score_threshold=0.5,
    lone_threshold=0.4,
    turned_threshold=0.7,
    nms_iou=0.3,
    framing=FRAMING,
)


def config(**changes: Any) -> ModelConfig:
    colour = {"layout": "NHWC", "size": None, "multiple_of": 32, "colour": "rgb"}
    changes = {"labels": None, "outputs": OUTPUTS, "detection": DETECTION, **changes}
    written = graphs.config(files={"model.onnx": "0" * 64}, **changes)
    written["input"].update(colour)
    return ModelConfig.model_validate(written)


def maps(height: int = 64, width: int = 64) -> Maps:
    """What the graph says of a canvas without faces."""
    cells = (height // 4, width // 4)
    return [np.zeros((1, channels, *cells), np.float32) for channels in (1, 2, 2, 10)]


def put_face(
    found: Maps,
    cell: tuple[int, int],
    size: tuple[float, float] = (16, 12),
    score: float = 0.9,
    offset: tuple[float, float] = (0, 0),
) -> Maps:
    """A peak at a cell (row, column), with a box of `size` (height, width) pixels around it."""
    heatmap, scale, offsets, landmarks = found
    row, column = cell
    heatmap[0, 0, row, column] = score
    scale[0, :, row, column] = np.log(np.array(size) / 4)
    offsets[0, :, row, column] = offset
    # y, x of each point in units of the box.
    points = [(0.3, 0.2), (0.3, 0.8), (0.6, 0.5), (0.8, 0.3), (0.8, 0.7)]
    landmarks[0, :, row, column] = np.array(points).ravel()
    return found


def seeing(answer: Maps | Callable[[Pixels], Maps]) -> FaceDetector:
    """A detector whose graph answers these maps."""
    graph = answer if callable(answer) else lambda _: answer
    return FaceDetector(FakeSession(config(), graph))


BLANK: Pixels = np.zeros((64, 64, 3), np.uint8)


# Decoding


def test_a_peak_becomes_a_face() -> None:
    (face,) = seeing(put_face(maps(), (5, 8))).detect(BLANK, min_face_size=1)
    # The middle of row 5, column 8 is x = 34, y = 22; the box is 12 wide and 16 high.
    np.testing.assert_allclose(face.box, [28, 14, 40, 30], atol=1e-4)
    assert face.score == pytest.approx(0.9)
    assert face.box.dtype == face.landmarks.dtype == np.float32
    # x, y: right eye (left in the image), left eye, nose, right and left corner of the mouth.
    expected = [[30.4, 18.8], [37.6, 18.8], [34, 23.6], [31.6, 26.8], [36.4, 26.8]]
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-4)


def test_the_offset_moves_a_face_inside_its_cell() -> None:
    found = put_face(maps(), (5, 8), offset=(0.25, -0.5))
    (face,) = seeing(found).detect(BLANK, min_face_size=1)
    np.testing.assert_allclose(face.box, [26, 15, 38, 31], atol=1e-4)


def test_beside_a_sure_face_only_scores_at_the_threshold_count() -> None:
    sure = put_face(maps(), (5, 8))
    assert len(seeing(put_face(sure, (12, 3), score=0.5)).detect(BLANK, min_face_size=1)) == 2
    assert len(seeing(put_face(sure, (12, 3), score=0.499)).detect(BLANK, min_face_size=1)) == 1


def test_only_the_highest_of_neighbouring_cells_counts() -> None:
    """Boxes too small to overlap, so that it is the peak that decides."""
    found = maps()
    for row in (4, 5, 6):
        for column in (7, 8, 9):
            put_face(found, (row, column), (2, 2), score=0.6)
    put_face(found, (5, 8), (2, 2), score=0.8)
    (face,) = seeing(found).detect(BLANK, min_face_size=1)
    assert face.score == pytest.approx(0.8)


def test_two_peaks_two_cells_apart_are_two_faces() -> None:
    found = put_face(put_face(maps(), (5, 6), (4, 4)), (5, 8), (4, 4))
    assert len(seeing(found).detect(BLANK, min_face_size=1)) == 2


def test_peaks_in_the_corners_count() -> None:
    found = maps()
    for cell in ((0, 0), (0, 15), (15, 0), (15, 15)):
        put_face(found, cell, (4, 4))
    assert len(seeing(found).detect(BLANK, min_face_size=1)) == 4


def test_of_overlapping_boxes_the_best_stays() -> None:
    found = put_face(maps(), (5, 6), (24, 24), score=0.7)
    put_face(found, (5, 8), (24, 24), score=0.9)  # 8 px apart: IoU .5 with either neighbour
    put_face(found, (5, 10), (24, 24), score=0.6)
    (face,) = seeing(found).detect(BLANK, min_face_size=1)
    assert face.score == pytest.approx(0.9)


def test_a_box_is_judged_by_the_kept_ones_only() -> None:
    """The middle one falls to the first, and must not take the last one with it."""
    found = put_face(maps(), (5, 4), (24, 24), score=0.9)
    put_face(found, (5, 7), (24, 24), score=0.8)  # 12 px from each: IoU 1/3
    put_face(found, (5, 10), (24, 24), score=0.7)  # 24 px from the first: no overlap
    faces = seeing(found).detect(BLANK, min_face_size=1)
    assert sorted(round(face.score, 1) for face in faces) == [0.7, 0.9]


# What is asked for


def test_the_largest_comes_first_and_max_faces_cuts_the_smallest() -> None:
    found = put_face(maps(), (2, 2), (8, 8), score=0.99)
    put_face(found, (2, 12), (16, 16), score=0.6)
    put_face(found, (12, 7), (12, 12), score=0.8)
    detector = seeing(found)
    widths = [face.box[2] - face.box[0] for face in detector.detect(BLANK, min_face_size=1)]
    np.testing.assert_allclose(widths, [16, 12, 8], atol=1e-4)
    two = detector.detect(BLANK, min_face_size=1, max_faces=2)
    np.testing.assert_allclose([face.box[2] - face.box[0] for face in two], [16, 12], atol=1e-4)


def test_min_face_size_is_the_longer_side_of_the_box() -> None:
    detector = seeing(put_face(maps(), (8, 8), size=(24, 16)))
    assert len(detector.detect(BLANK, min_face_size=23.9)) == 1
    assert detector.detect(BLANK, min_face_size=24.1) == []


def test_faces_below_20_pixels_are_not_given_unless_asked_for() -> None:
    detector = seeing(put_face(maps(), (8, 8), size=(19, 19)))
    assert detector.detect(BLANK) == []
    assert len(detector.detect(BLANK, min_face_size=10)) == 1


# Canvas and image


@pytest.mark.parametrize(
    ("shape", "canvas", "content"),
    [
        ((64, 64), (64, 64), (64, 64)),
        ((480, 640), (64, 64), (48, 64)),
        ((1000, 300), (64, 32), (64, 19)),
        ((300, 1000), (32, 64), (19, 64)),
        ((24, 30), (64, 64), (48, 60)),  # enlarged twice, not more
        ((1, 1), (32, 32), (2, 2)),
        ((1, 5000), (32, 64), (1, 64)),
    ],
)
def test_images_keep_their_proportions_on_a_canvas_of_whole_tiles(
    shape: tuple[int, int], canvas: tuple[int, int], content: tuple[int, int]
) -> None:
    batches: list[Pixels] = []

    def graph(batch: Pixels) -> Maps:
        batches.append(batch)
        return maps(*canvas)

    assert seeing(graph).detect(np.full((*shape, 3), 200, np.uint8)) == []
    batch, _ = batches  # and a coarse one, since it saw nothing
    assert batch.shape == (1, *canvas, 3)
    assert batch.dtype == np.uint8
    filled = np.zeros((*canvas, 3), np.uint8)
    filled[: content[0], : content[1]] = 200
    np.testing.assert_array_equal(batch[0], filled)


def test_the_graph_sees_red_green_and_blue_in_this_order() -> None:
    def graph(batch: Pixels) -> Maps:
        np.testing.assert_array_equal(batch[0, 30, 30], [10, 20, 30])
        return maps()

    seeing(graph).detect(np.full((64, 64, 3), [10, 20, 30], np.uint8))


def test_boxes_come_back_in_pixels_of_the_image() -> None:
    """1000 x 300 becomes 64 x 19: a factor of 1000 / 64 down, and of 300 / 19 across."""
    found = put_face(maps(64, 32), (8, 2), size=(16, 8))
    (face,) = seeing(found).detect(np.zeros((1000, 300, 3), np.uint8))
    x, y = 300 / 19, 1000 / 64
    np.testing.assert_allclose(face.box, [6 * x, 26 * y, 14 * x, 42 * y], rtol=1e-5)
    np.testing.assert_allclose(face.landmarks[2], [10 * x, 35.6 * y], rtol=1e-5)


def test_boxes_end_where_the_image_ends() -> None:
    found = put_face(maps(), (0, 0), (20, 20))
    put_face(found, (11, 15), (20, 20))
    image = np.zeros((48, 64, 3), np.uint8)
    first, second = seeing(found).detect(image, min_face_size=1)
    np.testing.assert_allclose(first.box, [0, 0, 12, 12], atol=1e-4)
    np.testing.assert_allclose(second.box, [52, 36, 64, 48], atol=1e-4)
    # Landmarks lie where the whole face has them: here those of a box from -8 to 12.
    np.testing.assert_allclose(first.landmarks[0], [-4, -2], atol=1e-4)


def test_what_lies_in_the_padding_is_no_face() -> None:
    found = put_face(maps(), (14, 8), (8, 8))
    assert seeing(found).detect(np.zeros((48, 64, 3), np.uint8), min_face_size=1) == []


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    seed=st.integers(0, 1000),
)
def test_boxes_are_always_inside_the_image_and_have_an_area(
    height: int, width: int, seed: int
) -> None:
    random = np.random.default_rng(seed)

    def graph(batch: Pixels) -> Maps:
        found = maps(*batch.shape[1:3])
        found[0][:] = random.uniform(0, 1, found[0].shape)
        found[1][:] = random.normal(1, 1, found[1].shape)
        found[2][:] = random.normal(0, 1, found[2].shape)
        return found

    for face in seeing(graph).detect(np.zeros((height, width, 3), np.uint8), min_face_size=0):
        x_min, y_min, x_max, y_max = face.box
        assert 0 <= x_min < x_max <= width
        assert 0 <= y_min < y_max <= height


# How often it looks


class Eye:
    """A graph that sees one face: for each side of the canvas its share of it, and the score."""

    def __init__(self, faces: dict[int, tuple[float, float]]) -> None:
        self.faces = faces
        self.sides: list[int] = []

    def __call__(self, batch: Pixels) -> Maps:
        side = max(batch.shape[1:3])
        self.sides.append(side)
        found = maps(*batch.shape[1:3])
        if side not in self.faces:
            return found
        share, score = self.faces[side]
        return put_face(found, (4, 4), (share * side, share * side), score)


def looking(eye: Eye) -> FaceDetector:
    detection = DETECTION.model_copy(update={"fine_side": 128})
    return FaceDetector(FakeSession(config(detection=detection), eye))


LARGE: Pixels = np.zeros((640, 640, 3), np.uint8)


@pytest.mark.parametrize(
    ("first", "sides"), [({}, [64, 32, 128]), ({64: (0.2, 0.9)}, [64, 128])], ids=["none", "small"]
)
def test_a_large_photo_without_large_faces_is_looked_at_finer(
    first: dict[int, tuple[float, float]], sides: list[int]
) -> None:
    eye = Eye({**first, 128: (0.1, 0.9)})
    (face,) = looking(eye).detect(LARGE)
    assert eye.sides == sides
    assert face.box[2] - face.box[0] == pytest.approx(64)  # the finer look alone counts


def test_a_large_photo_with_a_large_face_is_looked_at_once() -> None:
    eye = Eye({64: (0.3, 0.9), 128: (0.1, 0.9)})
    (face,) = looking(eye).detect(LARGE)
    assert eye.sides == [64]
    assert face.box[2] - face.box[0] == pytest.approx(192)


def test_a_photo_that_has_no_more_pixels_is_not_looked_at_finer() -> None:
    eye = Eye({64: (0.2, 0.9)})
    assert len(looking(eye).detect(np.zeros((128, 128, 3), np.uint8))) == 1
    assert eye.sides == [64]
    eye = Eye({})
    assert looking(eye).detect(np.zeros((128, 128, 3), np.uint8)) == []
    assert eye.sides == [64, 32, 128]
    eye = Eye({})
    assert looking(eye).detect(np.zeros((127, 127, 3), np.uint8)) == []
    assert eye.sides == [64, 32]


def test_who_asks_for_large_faces_only_does_not_pay_for_small_ones() -> None:
    eye = Eye({64: (0.2, 0.9)})
    assert looking(eye).detect(LARGE, min_face_size=160) == []
    assert eye.sides == [64]


def test_where_nothing_is_found_a_coarse_look_may_find_something() -> None:
    eye = Eye({32: (0.6, 0.9)})
    (face,) = looking(eye).detect(LARGE)
    assert eye.sides == [64, 32]  # what fills the photo needs no finer look
    assert face.box[2] - face.box[0] == pytest.approx(0.6 * 640, abs=80)


def test_what_is_small_in_a_coarse_look_is_looked_at_finer() -> None:
    eye = Eye({32: (0.2, 0.9), 128: (0.1, 0.9)})
    (face,) = looking(eye).detect(LARGE)
    assert eye.sides == [64, 32, 128]
    assert face.box[2] - face.box[0] == pytest.approx(64)


@pytest.mark.parametrize(
    ("fine", "coarse", "expected"), [(0.45, 0.0, 0.45), (0.41, 0.48, 0.48), (0.39, 0.39, None)]
)
def test_the_only_face_of_a_photo_may_be_less_sure(
    fine: float, coarse: float, expected: float | None
) -> None:
    faces = looking(Eye({128: (0.3, fine), 32: (0.6, coarse)})).detect(LARGE)
    assert [face.score for face in faces] == pytest.approx([] if expected is None else [expected])


def test_of_several_unsure_ones_only_the_surest_counts() -> None:
    found = put_face(put_face(maps(), (3, 3), score=0.45), (10, 10), score=0.42)
    (face,) = seeing(found).detect(BLANK, min_face_size=1)
    assert face.score == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("scores", "turns"),
    [
        ((0.45, 0.0, 0.69, 0.0), 0),  # sure enough for an upright photo, not for a turned one
        ((0.45, 0.0, 0.71, 0.0), 2),
        ((0.0, 0.72, 0.71, 0.75), 3),
        ((0.0, 0.69, 0.0, 0.6), None),
        ((0.6, 0.9, 0.9, 0.9), 0),  # who stands upright is not turned
    ],
)
def test_in_a_turned_photo_a_face_has_to_be_surer(
    scores: tuple[float, ...], turns: int | None
) -> None:
    marked = np.zeros((64, 64, 3), np.uint8)
    marked[:32, :32] = 255

    def eye(batch: Pixels) -> Maps:
        (canvas,) = batch
        turned = next(n for n in range(4) if np.rot90(canvas, -n)[8, 8, 0] > 128)
        return put_face(maps(*canvas.shape[:2]), (4, 4), (20, 20), scores[turned])

    faces = seeing(eye).detect(marked, min_face_size=1, rotate=True)
    assert [face.turns for face in faces] == ([] if turns is None else [turns])
    assert [face.score for face in faces] == pytest.approx([scores[face.turns] for face in faces])


# What it is made of


@pytest.mark.parametrize("wrong", [config(detection=None), config(outputs=["logits"])])
def test_a_model_that_is_no_detector_is_refused(wrong: ModelConfig) -> None:
    with pytest.raises(ModelError, match="expected a face detector with the outputs"):
        FaceDetector(FakeSession(wrong, lambda _: []))


def test_two_looks_of_different_releases_are_refused(models_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models_dir / "face-detector-2.0.0", tmp_path / "face-detector-2.0.0")
    config = json.loads((folder / REFINER / "config.json").read_text())
    (folder / REFINER / "config.json").write_text(json.dumps({**config, "version": "1.9.9"}))
    with pytest.raises(ModelError, match=r"expected version 2\.0\.0.*found 1\.9\.9"):
        load_detector(folder)


def test_the_framing_is_the_models() -> None:
    assert seeing(maps()).framing is FRAMING


# The released ones

RELEASED = ("face-detector-1.1.0", "face-detector-2.0.0")
FACE = (184.4, 62.8, 268.5, 174.5)  # of the photo, checked by eye
EYES = ((206, 102), (247, 105))


@pytest.fixture(scope="module", params=RELEASED)
def detector(request: pytest.FixtureRequest, models_dir: Path) -> FaceDetector:
    _, loaded = load_detector(models_dir / request.param)
    return loaded


@pytest.fixture(scope="module")
def portrait(photo: bytes) -> Image.Image:
    return Image.open(io.BytesIO(photo)).convert("RGB")


def iou(first: NDArray[np.float32] | tuple[float, ...], second: tuple[float, ...]) -> float:
    x = min(first[2], second[2]) - max(first[0], second[0])
    y = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, float(x)) * max(0.0, float(y))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (float(areas[0]) + float(areas[1]) - shared)


def test_one_face_is_found_where_it_is(detector: FaceDetector, portrait: Image.Image) -> None:
    (face,) = detector.detect(np.asarray(portrait))
    assert face.score > 0.8
    # Each detector has its own idea of how much forehead and how many ears are the face.
    assert iou(face.box, FACE) > 0.8
    right_eye, left_eye, nose, mouth_right, mouth_left = face.landmarks
    np.testing.assert_allclose([right_eye, left_eye], EYES, atol=4)
    assert right_eye[1] < nose[1] < mouth_right[1]
    assert mouth_right[0] < nose[0] < mouth_left[0]


@pytest.mark.parametrize("size", [(128, 128), (300, 400), (480, 640), (1300, 1100)])
def test_a_face_is_found_at_every_size(
    detector: FaceDetector, portrait: Image.Image, size: tuple[int, int]
) -> None:
    height, width = size
    (face,) = detector.detect(np.asarray(portrait.resize((width, height))))
    x, y = width / portrait.width, height / portrait.height
    assert iou(face.box, (FACE[0] * x, FACE[1] * y, FACE[2] * x, FACE[3] * y)) > 0.75


def test_a_mirrored_face_has_mirrored_landmarks(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    (face,) = detector.detect(np.asarray(portrait)[:, ::-1])
    x_min, y_min, x_max, y_max = FACE
    assert iou(face.box, (512 - x_max, y_min, 512 - x_min, y_max)) > 0.8
    # What was the left eye is the right one in the mirror.
    mirrored = [(512 - EYES[1][0], EYES[1][1]), (512 - EYES[0][0], EYES[0][1])]
    np.testing.assert_allclose(face.landmarks[:2], mirrored, atol=6)


def test_each_of_several_faces_is_found_once(detector: FaceDetector, portrait: Image.Image) -> None:
    scene = Image.new("RGB", (900, 500), "gray")
    head = portrait.crop((150, 30, 310, 220))
    scene.paste(head, (40, 60))
    scene.paste(head.resize((320, 380)), (500, 80))
    large, small = detector.detect(np.asarray(scene))
    assert iou(large.box, (569, 146, 737, 369)) > 0.55
    assert iou(small.box, (74, 93, 159, 204)) > 0.55


@pytest.mark.parametrize("cut", [(215, 0, 512, 512), (0, 100, 512, 512), (0, 0, 240, 512)])
def test_a_face_that_the_border_cuts_keeps_its_box_inside(
    detector: FaceDetector, portrait: Image.Image, cut: tuple[int, int, int, int]
) -> None:
    image = np.asarray(portrait.crop(cut))
    (face,) = detector.detect(image)
    height, width, _ = image.shape
    assert face.box.min() >= 0
    assert face.box[2] <= width
    assert face.box[3] <= height


def gradient(height: int, width: int) -> Pixels:
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 / width, y * 255 / height, 255 - x * 255 / width)
    return np.stack(channels, axis=2).astype(np.uint8)


def checks(height: int, width: int) -> Pixels:
    y, x = np.mgrid[:height, :width]
    return np.repeat(((x // 32 + y // 32) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def clouds(grain: int) -> Pixels:
    small = np.random.default_rng(grain).integers(0, 256, (grain, grain, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((480, 640, 3), 255, np.uint8),
        gradient(480, 640),
        gradient(700, 200),
        checks(480, 640),
        np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8),
        *(clouds(grain) for grain in (4, 8, 16, 32, 64, 128)),
    ],
    ids=["black", "white", "gradient", "tall", "checks", "noise", *"abcdef"],
)
def test_nothing_is_found_where_nothing_is(detector: FaceDetector, image: Pixels) -> None:
    assert detector.detect(image, min_face_size=1) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (7, 33), (31, 32)])
def test_images_of_every_shape_are_looked_at(
    detector: FaceDetector, shape: tuple[int, int]
) -> None:
    assert detector.detect(np.full((*shape, 3), 90, np.uint8), min_face_size=1) == []


def test_threads_find_what_one_thread_finds(detector: FaceDetector, portrait: Image.Image) -> None:
    images = [np.asarray(portrait.resize((200 + 40 * n, 240 + 40 * n))) for n in range(8)]
    serial = [detector.detect(image) for image in images]
    together = threading.Barrier(len(images))

    def detect(image: Pixels) -> NDArray[np.float32]:
        together.wait()
        (face,) = detector.detect(image)
        return face.box

    with ThreadPoolExecutor(len(images)) as executor:
        boxes = list(executor.map(detect, images))
    for box, faces in zip(boxes, serial, strict=True):
        np.testing.assert_array_equal(box, faces[0].box)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_is_looked_at_from_other_sides_when_asked(
    detector: FaceDetector, portrait: Image.Image, turns: int
) -> None:
    """The box lies in the photo as it came, and the crop stands upright."""
    photo = np.asarray(portrait)
    (upright,) = detector.detect(photo)
    lying = np.rot90(photo, -turns)
    assert all(face.turns == 0 for face in detector.detect(lying))
    (face,) = detector.detect(lying, rotate=True)
    assert face.turns == turns

    x_min, y_min, x_max, y_max = (float(edge) for edge in upright.box)
    expected = {
        1: (512 - y_max, x_min, 512 - y_min, x_max),
        2: (512 - x_max, 512 - y_max, 512 - x_min, 512 - y_min),
        3: (y_min, 512 - x_max, y_max, 512 - x_min),
    }[turns]
    assert iou(face.box, expected) > 0.999
    eye = upright.landmarks[0]
    turned_eye = {
        1: (512 - eye[1], eye[0]),
        2: (512 - eye[0], 512 - eye[1]),
        3: (eye[1], 512 - eye[0]),
    }[turns]
    np.testing.assert_allclose(face.landmarks[0], turned_eye, atol=0.01)

    crop = crop_face(lying, face.box, detector.framing, turns=face.turns)
    expected_crop = crop_face(photo, upright.box, detector.framing)
    assert np.abs(crop.astype(int) - expected_crop).max() <= 1


def test_an_upright_photo_is_not_turned(detector: FaceDetector, portrait: Image.Image) -> None:
    photo = np.asarray(portrait)
    (face,), (asked,) = detector.detect(photo), detector.detect(photo, rotate=True)
    assert asked.turns == 0
    np.testing.assert_array_equal(face.box, asked.box)


def test_a_photo_without_faces_has_none_on_any_side(detector: FaceDetector) -> None:
    assert detector.detect(clouds(32), rotate=True) == []
