import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import PORTRAIT
from tests.training.test_views import DOT, coloured
from training.canvas import cut
from training.config import TrainConfig
from training.found import Floats, Found
from training.refiner_batches import JITTER, RefinerBatches, crop, soften, target
from training.refiner_plates import FACE, Plate, Plates
from training.refiner_plates import SIDE as PLATE_SIDE
from training.systems.face_refiner import SIDE
from training.teacher import GRAPH
from training.views import View

CONFIG = TrainConfig(
    system="face_refiner", epochs=1, batch_size=8, optimizer="adam", learning_rate=1e-3
)
MIDDLE = PLATE_SIDE / 2


def found(*boxes: tuple[float, float, float, float]) -> Found:
    """Faces with the nose in their middles, and the other points there too."""
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.repeat(corners.reshape(-1, 1, 2, 2).mean(axis=2), 5, axis=1)
    return Found(corners, points, np.ones(len(corners), np.float32))


def plate(*boxes: tuple[float, float, float, float], sure: bool = True) -> Plate:
    """A gray plate; faces are red rectangles."""
    pixels = np.full((PLATE_SIDE, PLATE_SIDE, 3), 120, np.uint8)
    for x_min, y_min, x_max, y_max in boxes:
        pixels[int(y_min) : int(y_max), int(x_min) : int(x_max)] = DOT
    return Plate(pixels, found(*boxes), np.full(len(boxes), sure))


FACE_PLATE = plate((MIDDLE - 16, MIDDLE - FACE / 2, MIDDLE + 16, MIDDLE + FACE / 2))


def crops(of: Plate, kind: str, count: int = 200) -> list[tuple[View, Floats]]:
    views = [crop(of, JITTER[kind], np.random.default_rng(seed)) for seed in range(count)]
    return [(view, target(view)[0]) for view in views]


def test_the_target_is_where_the_face_is() -> None:
    compared = 0
    for view, wanted in crops(FACE_PLATE, "small"):
        assert view.pixels.shape == (SIDE, SIDE, 3)
        if not (np.abs(view.pixels.astype(int) - DOT).max(axis=2) < 12).any():
            continue  # in another light
        middle, size = (wanted[3:5] + 0.5) * SIDE, wanted[5:7] * SIDE
        seen = coloured(view.pixels)
        if wanted[2] and np.abs(seen[2:] - seen[:2] - size).max() < 3:  # nothing covers it
            np.testing.assert_allclose(seen.reshape(2, 2).mean(axis=0), middle, atol=2.5)
            compared += 1
    assert compared > 20


def test_a_face_is_mostly_in_the_middle_and_of_half_the_width() -> None:
    wanted = np.stack([each for _, each in crops(FACE_PLATE, "small")])
    learnt = wanted[wanted[:, 2] == 1]
    assert len(learnt) > 180
    assert 0.75 < wanted[:, 0].mean() < 1
    np.testing.assert_allclose(learnt[:, 3:5].mean(axis=0), 0, atol=0.02)
    assert learnt[:, 6].mean() == pytest.approx(0.5, abs=0.05)
    assert learnt[:, 3:7].std(axis=0).min() > 0.03


def test_the_landmarks_go_with_the_face() -> None:
    for _, wanted in crops(FACE_PLATE, "scenes", 50):
        if wanted[2]:
            np.testing.assert_allclose(
                wanted[7:].reshape(5, 2), np.tile(wanted[3:5], (5, 1)), atol=0.02
            )


def of_one(box: tuple[float, float, float, float], sure: bool = True) -> Floats:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    wanted: Floats = target(View(pixels, found(box), np.array([sure])))[0]
    return wanted


@pytest.mark.parametrize(
    ("box", "sure", "heat", "counts", "learnt"),
    [
        ((18, 16, 46, 48), True, 1, 1, 1),
        ((18, 16, 46, 48), False, 0, 0, 0),  # may be a face: nothing is said of it
        ((26, 16, 54, 48), True, 1, 1, 1),  # a quarter beside the middle
        ((32, 16, 60, 48), True, 0, 0, 1),  # neither one nor the other
        ((50, 40, 62, 56), True, 0, 1, 0),  # a face, but not the one that was proposed
        ((4, 4, 60, 60), True, 0, 0, 1),
        ((-64, -64, 128, 128), True, 0, 1, 0),  # part of a face
    ],
)
def test_what_overlaps_the_inner_half_well_is_a_face(
    box: tuple[float, float, float, float], sure: bool, heat: int, counts: int, learnt: int
) -> None:
    wanted = of_one(box, sure)
    assert wanted[:3].tolist() == [heat, counts, learnt]
    if learnt:
        np.testing.assert_allclose(wanted[5:7] * SIDE, [box[2] - box[0], box[3] - box[1]])


def test_without_a_face_there_is_none() -> None:
    for _, wanted in crops(plate(), "anywhere", 20):
        assert wanted[:3].tolist() == [0, 1, 0]


def test_the_teacher_has_half_a_say_and_all_of_it_where_there_is_no_label() -> None:
    photo = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    portrait = cut(photo, np.array([180, 60, 270, 180], np.float32), SIDE).pixels
    images = np.stack([portrait, portrait, portrait, np.zeros_like(portrait)])
    wanted = np.zeros((4, 1, 17), np.float32)
    wanted[:, 0, :2] = [(1, 1), (0, 1), (0, 0), (1, 1)]
    face, denied, unknown, unseen = soften(wanted, images, GRAPH.read_bytes())[:, 0, 0]
    assert 0.6 < unknown < 1
    assert face == pytest.approx((1 + unknown) / 2)
    assert denied == pytest.approx(unknown / 2)
    assert unseen == 0.5
    beside = np.roll(portrait, SIDE // 4, axis=1)  # a face, but not what the crop is about
    assert soften(wanted[2:3], beside[None], GRAPH.read_bytes())[0, 0, :2].tolist() == [0, 1]


def test_an_epoch_shows_every_kind_of_plate_and_the_next_other_crops() -> None:
    nothing = [plate()]
    plates = Plates([FACE_PLATE], [FACE_PLATE], nothing, nothing, nothing, [FACE_PLATE])
    batches = RefinerBatches(plates, CONFIG, crops=400)
    assert len(batches) == 50
    images, wanted = batches[0]
    assert (images.shape, wanted.shape) == ((8, SIDE, SIDE, 3), (8, 1, 17))
    np.testing.assert_array_equal(batches[0][0], images)
    faces = np.concatenate([batches[step][1][:, 0, 2] for step in range(len(batches))])
    assert 0.35 < faces.mean() < 0.65
    batches.on_epoch_end()
    assert (batches[0][0] != images).any()


def test_what_is_judged_by_stays_the_same_and_needs_no_scenes() -> None:
    plates = Plates([FACE_PLATE], [], [plate()], [plate()], [plate()], [])
    frozen = RefinerBatches(plates, CONFIG, crops=16, frozen=True)
    images, _ = frozen[0]
    frozen.on_epoch_end()
    np.testing.assert_array_equal(frozen[0][0], images)
