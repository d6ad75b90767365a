from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from service.candidates import Candidates
from service.refiner import FaceRefiner
from tests.service.fakes import FakeSession
from tests.service.test_refiner import config
from tests.training.conftest import refine
from training import cascade
from training.cascade import LEAST, MOST, Cascade, judge, propose
from training.centerface import load_graph
from training.detection_metrics import SIDE
from training.detector_graph import convert
from training.found import iou, ranked
from training.systems import face_detector, face_refiner

ROOT = Path(__file__).parents[2]
PHOTO = np.asarray(Image.open(ROOT / "tests" / "data" / "astronaut.jpg").convert("RGB"))
BOXES = np.array(
    [[180, 60, 270, 180], [0, 0, 40, 50], [400, 300, 600, 520], [-30, 10, 20, 60]], np.float32
)


@pytest.fixture(scope="module")
def refiner() -> bytes:
    keras.utils.set_random_seed(1)
    network = face_refiner.build(widths=(8, 16, 16))
    graph: bytes = convert(network).SerializeToString()
    return graph


@pytest.fixture(scope="module")
def proposer() -> bytes:
    keras.utils.set_random_seed(1)
    graph: bytes = convert(face_detector.build(widths=(8, 8, 16))).SerializeToString()
    return graph


def test_the_service_judges_as_training_does(refiner: bytes) -> None:
    side = face_refiner.SIDE
    session = FakeSession(
        config(input={"size": (side, side)}),
        lambda cuts: load_graph(refiner).run(["scores", "numbers"], {"image": cuts}),
    )
    count = len(BOXES)
    proposed = Candidates(BOXES, np.zeros((count, 5, 2), np.float32), np.ones(count, np.float32))
    theirs = FaceRefiner(session).refine(PHOTO, proposed)
    ours = refine(refiner, PHOTO, BOXES, 0.0)
    assert len(ours.scores) >= 3
    for box, points, score in zip(*ours, strict=True):
        same = int(np.abs(theirs.boxes - box).sum(axis=1).argmin())
        np.testing.assert_allclose(theirs.boxes[same], box, atol=1e-3)
        np.testing.assert_allclose(theirs.landmarks[same], points, atol=1e-3)
        assert theirs.scores[same] == pytest.approx(score, abs=1e-5)


def test_proposals_are_judged_where_they_lie(proposer: bytes, refiner: bytes) -> None:
    proposed = propose(proposer, PHOTO, SIDE, threshold=0.0)
    assert (np.diff(proposed.scores) <= 0).all()
    ours = refine(refiner, PHOTO, proposed.boxes[:5], 0.0)
    middles = (proposed.boxes[:5, :2] + proposed.boxes[:5, 2:]) / 2
    for box in ours.boxes:
        reach = np.abs(middles - (box[:2] + box[2:]) / 2).max(axis=1).min()
        assert reach < 2 * (box[2:] - box[:2]).max()


def test_what_may_be_a_face_is_judged_again_where_it_was_found(
    proposer: bytes, refiner: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed = propose(proposer, PHOTO, SIDE, 0.02, cascade.FOREMOST).boxes[:LEAST]
    once = refine(refiner, PHOTO, proposed)
    # Networks that have learnt nothing give every place .01: only the best is judged again.
    for again_from, boxes in ((0.0, once.boxes), (0.1, once.boxes[:1])):
        monkeypatch.setattr(cascade, "AGAIN_FROM", again_from)
        found = Cascade(proposer, refiner, 0.02).find(PHOTO)
        np.testing.assert_array_equal(found.boxes, refine(refiner, PHOTO, boxes).boxes)
        assert not np.isin(found.boxes, once.boxes).any()


def test_what_is_sure_and_where_it_was_proposed_is_not_judged_again(
    proposer: bytes, refiner: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascade, "SURE_FROM", 0.005)
    proposed = propose(proposer, PHOTO, SIDE, 0.002, cascade.FOREMOST).boxes[:MOST]
    found = judge(refiner, PHOTO, proposed)
    overlaps = iou(found.boxes, proposed).diagonal()
    best = int(ranked(found, 1.0)[0])
    for settled, boxes in (
        (overlaps[best] - 0.01, found.boxes[best]),
        (overlaps[best] + 0.01, refine(refiner, PHOTO, found.boxes[[best]]).boxes[0]),
    ):
        monkeypatch.setattr(cascade, "SETTLED", settled)
        seen = Cascade(proposer, refiner, 0.002).find(PHOTO)
        np.testing.assert_allclose(seen.boxes, [boxes], atol=1e-3)


def test_what_is_too_faint_is_none(proposer: bytes, refiner: bytes) -> None:
    """Networks that have learnt nothing give every place .01."""
    assert len(propose(proposer, PHOTO, SIDE, 0.02).scores) == 0
    assert len(refine(refiner, PHOTO, BOXES, 0.02).scores) == 0
    assert len(refine(refiner, PHOTO, BOXES[:0], 0.0).scores) == 0
