from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from training.detector_graph import convert
from training.found import Floats, Found
from training.photo_set import PhotoSet, open_photo_set
from training.refiner_plates import FACE, SIDE, Plates, cut_plates
from training.systems import face_detector

PORTRAIT = Path(__file__).parents[1] / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def photos(photos_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    return open_photo_set(photos_dir, tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def proposer() -> bytes:
    """One that proposes something everywhere."""
    keras.utils.set_random_seed(0)
    network = face_detector.build(widths=(8, 8, 16))
    head = network.get_layer("head_16")
    head.bias.assign(np.concatenate([[1.0], np.zeros(14)]))
    graph: bytes = convert(network).SerializeToString()
    return graph


@pytest.fixture(scope="module")
def plates(photos: PhotoSet, proposer: bytes) -> Plates:
    # A portrait as FER-2013 shows one: close and gray.
    face = Image.open(PORTRAIT).convert("L").crop((170, 50, 285, 165)).resize((48, 48))
    faces = np.stack([np.asarray(face)] * 3)
    return cut_plates(proposer, photos, photos.training, faces)


def middle_face(found: Found) -> Floats:
    middles = found.boxes.reshape(-1, 2, 2).mean(axis=1)
    box: Floats = found.boxes[np.abs(middles - SIDE / 2).sum(axis=1).argmin()]
    return box


def test_a_sure_face_lies_in_the_middle_at_one_size(photos: PhotoSet, plates: Plates) -> None:
    count = sum(int(photos.labelled[row].sure.sum()) for row in photos.training)
    assert len(plates.small + plates.large) == count > 5
    for plate in plates.small + plates.large:
        assert plate.pixels.shape == (SIDE, SIDE, 3)
        box = middle_face(plate.found)
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, SIDE / 2, atol=0.5)
        assert (box[2:] - box[:2]).max() == pytest.approx(FACE, abs=0.3)


def test_large_faces_are_told_from_small_ones(photos: PhotoSet, proposer: bytes) -> None:
    photo = photos.labelled[0]
    longest = max(photo.height, photo.width)
    boxes = np.array([[0, 0, side, side] for side in (longest / 15, longest / 3)], np.float32)
    found = Found(boxes, np.zeros((2, 5, 2), np.float32), np.ones(2, np.float32))
    two_faces = replace(photo, faces=found, sure=np.ones(2, np.bool_))
    changed = replace(photos, labelled=[two_faces, *photos.labelled[1:]])
    plates = cut_plates(proposer, changed, [0], np.zeros((0, 48, 48), np.uint8))
    assert (len(plates.small), len(plates.large)) == (1, 1)


def test_what_is_proposed_or_anywhere_is_cut_out_too(photos: PhotoSet, plates: Plates) -> None:
    assert len(plates.proposals) > len(photos.training)
    assert len(plates.anywhere) == 2 * len(photos.training)
    for plate in plates.proposals + plates.anywhere:
        assert len(plate.sure) == len(plate.found.scores)
        assert ((plate.found.boxes[:, 2:] > 0) & (plate.found.boxes[:, :2] < SIDE)).all()


def test_pictures_of_nothing_hold_nothing(plates: Plates) -> None:
    assert plates.textures
    assert all(not len(plate.found.scores) for plate in plates.textures)


def test_others_of_nothing_are_seen_with_another_seed(photos: PhotoSet, proposer: bytes) -> None:
    nobody = np.zeros((0, 48, 48), np.uint8)
    seen = [
        {plate.pixels.tobytes() for plate in cut_plates(proposer, photos, [0], nobody, s).textures}
        for s in (0, 1)
    ]
    assert seen[0]
    assert seen[0].isdisjoint(seen[1])


def test_a_picture_in_a_scene_has_the_box_of_its_frame(plates: Plates) -> None:
    assert len(plates.scenes) == 3
    for plate in plates.scenes:
        (box,) = plate.found.boxes
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, SIDE / 2, atol=0.6)
        # The nose lies near the middle of the box, the eyes above it.
        (points,) = plate.found.landmarks
        assert abs(points[2, 0] - SIDE / 2) < FACE / 5
        assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
