import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.candidates import Candidates
from service.cells import OUTPUTS
from service.detector import FaceDetector
from service.errors import ModelError
from service.refiner import FaceRefiner
from service.session import DetectionConfig, ModelConfig, RefinementConfig
from tests.service import graphs
from tests.service.fakes import FakeSession
from tests.service.test_cells import DETECTION, POINTS

Pixels = NDArray[np.uint8]

RANDOM = np.random.default_rng(0)
PHOTO: Pixels = RANDOM.integers(1, 256, (120, 160, 3), np.uint8)


def config(**changes: Any) -> ModelConfig:
    inputs = {"layout": "NHWC", "multiple_of": 1, "colour": "rgb", "size": (32, 32)}
    inputs |= changes.pop("input", {})
    changes = {"labels": None, "outputs": OUTPUTS, "detection": None, **changes}
    written = graphs.config(files={"model.onnx": "0" * 64}, **changes)
    written["input"].update(inputs)
    return ModelConfig.model_validate(written)


class Judge:
    """A second look that says the same of every cut, and keeps what it was shown."""

    def __init__(
        self,
        score: float = 0.9,
        middle: tuple[float, float] = (0, 0),
        size: tuple[float, float] = (0.5, 0.5),
    ) -> None:
        self.score, self.numbers = score, [*middle, *np.log(size), *np.array(POINTS).ravel()]
        self.shown: list[Pixels] = []
        self.refiner = FaceRefiner(FakeSession(config(), self))

    def __call__(self, cuts: Pixels) -> list[NDArray[np.float32]]:
        self.shown.extend(cuts)
        count = len(cuts)
        scores = np.full((count, 1), self.score, np.float32)
        return [scores, np.tile(np.array(self.numbers, np.float32), (count, 1, 1))]


def proposed(*boxes: tuple[float, float, float, float]) -> Candidates:
    count = len(boxes)
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros((count, 5, 2), np.float32),
        np.full(count, 0.3, np.float32),
    )


def test_a_cut_is_twice_as_long_as_the_box_and_shows_the_image_itself() -> None:
    judge = Judge()
    judge.refiner.refine(PHOTO, proposed((60, 40, 72, 56)))
    (cut,) = judge.shown
    np.testing.assert_array_equal(cut, PHOTO[32:64, 50:82])


@pytest.mark.parametrize(
    ("box", "outside", "inside"),
    [
        ((0, 0, 16, 16), np.s_[:8], np.s_[8:, 8:]),
        ((144, 104, 160, 120), np.s_[:, 24:], np.s_[:24, :24]),
        ((-20, 40, -4, 56), np.s_[:, :28], np.s_[:, 28:]),
    ],
)
def test_beyond_the_image_it_is_black(box: tuple[float, ...], outside: Any, inside: Any) -> None:
    judge = Judge()
    judge.refiner.refine(PHOTO, proposed(box))  # type: ignore[arg-type]
    (cut,) = judge.shown
    assert (cut[outside] == 0).all()
    assert (cut[inside] > 0).all()


def test_a_box_far_beyond_any_image_costs_no_memory() -> None:
    judge = Judge()
    tracemalloc.start()
    boxes = ((-1e9, -1e9, 1e9, 1e9), (3e5, 3e5, 4e5, 4e5), (-9e5, 10, -8e5, 20))
    found = judge.refiner.refine(PHOTO, proposed(*boxes))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert np.isfinite(found.boxes).all()
    # What is hardly a pixel, or not in the image, is black.
    assert not np.stack(judge.shown[1:]).any()


def test_what_it_says_is_placed_in_the_image() -> None:
    judge = Judge(0.7, middle=(0.125, -0.25), size=(0.25, 0.5))
    found = judge.refiner.refine(PHOTO, proposed((40, 30, 60, 62)))
    # The cut reaches from 18 to 82 and from 14 to 78: its middle is at 50, 46.
    np.testing.assert_allclose(found.boxes, [[50, 14, 66, 46]], atol=1e-4)
    np.testing.assert_allclose(
        found.landmarks[0], np.array(POINTS) * [16, 32] + [50, 46], atol=1e-4
    )
    assert found.scores == pytest.approx([0.7])
    assert {each.dtype for each in found} == {np.dtype(np.float32)}


def test_all_proposals_are_judged_in_one_run_and_none_in_no_run() -> None:
    judge = Judge()
    assert len(judge.refiner.refine(PHOTO, proposed((0, 0, 9, 9), (50, 50, 90, 90))).scores) == 2
    assert len(judge.refiner.refine(PHOTO, proposed()).scores) == 0
    assert len(judge.shown) == 2


def test_a_box_of_no_size_is_judged_too() -> None:
    found = Judge(size=(0.5, 1)).refiner.refine(PHOTO, proposed((30, 30, 30, 30)))
    np.testing.assert_allclose(found.sizes, [[1, 2]], atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"outputs": ["scores"]}, {"input": {"size": None}}, {"input": {"size": (32, 48)}}],
    ids=str,
)
def test_a_model_that_judges_no_squares_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="expected a graph that judges squares of one size"):
        FaceRefiner(FakeSession(config(**changes), lambda _: []))


# The two looks together


def detection(**changes: Any) -> DetectionConfig:
    numbers = {"proposed_from": 0.2, "sure_from": 0.95, "again_from": 0.1, "settled_iou": 0.8}
    refinement = RefinementConfig(**{"least": 1, "most": 8, **numbers, **changes})
    return DETECTION.model_copy(update={"refinement": refinement})


def looking_twice(judge: Judge, **changes: Any) -> FaceDetector:
    """One whose first look proposes three faces of 8 px: surely, less so, and hardly."""

    def propose(batch: Pixels) -> list[NDArray[np.float32]]:
        cells = batch.shape[1] * batch.shape[2] // 64 * 5 // 4
        scores, numbers = np.zeros((1, cells), np.float32), np.zeros((1, cells, 14), np.float32)
        if cells == 80:  # not in the coarser look, which is taken where nothing was found
            scores[0, [0, 20, 40]] = 0.9, 0.3, 0.19
        return [scores, numbers]

    first = config(detection=detection(**changes), input={"size": None, "multiple_of": 16})
    return FaceDetector(FakeSession(first, propose), judge.refiner)


BLANK: Pixels = np.zeros((64, 64, 3), np.uint8)


def test_what_the_first_look_proposes_faintly_the_second_may_be_sure_of() -> None:
    faces = looking_twice(Judge(score=0.8)).detect(BLANK, min_face_size=1)
    assert [face.score for face in faces] == pytest.approx([0.8, 0.8])


def test_what_the_second_look_does_not_see_is_no_face() -> None:
    judge = Judge(score=0.39)
    assert looking_twice(judge).detect(BLANK, min_face_size=1) == []
    assert judge.shown


def test_a_few_proposals_are_looked_at_however_faint_they_are() -> None:
    judge = Judge()
    assert len(looking_twice(judge, least=3).detect(BLANK, min_face_size=1)) == 3
    assert len(judge.shown) == 3 + 3


def test_where_the_first_look_is_sure_faint_ones_are_not_looked_at() -> None:
    judge = Judge()
    detector = looking_twice(judge, least=3, sure_from=0.85, settled_iou=0.99)
    assert len(detector.detect(BLANK, min_face_size=1)) == 2
    assert len(judge.shown) == 2


def test_only_the_best_proposals_are_looked_at() -> None:
    judge = Judge()
    assert len(looking_twice(judge, most=1).detect(BLANK, min_face_size=1)) == 1
    assert len(judge.shown) == 1 + 1


def test_proposals_that_turn_out_to_be_one_face_are_one() -> None:
    first = config(detection=detection(), input={"size": None, "multiple_of": 16})

    def beside(batch: Pixels) -> list[NDArray[np.float32]]:
        cells = batch.shape[1] * batch.shape[2] // 64 * 5 // 4
        scores, numbers = np.zeros((1, cells), np.float32), np.zeros((1, cells, 14), np.float32)
        scores[0, [20, 21]] = 0.9
        numbers[0, 21, 0] = -0.45  # 4.4 px beside the other's: an overlap of .29
        numbers[0, 20:22, 2:4] = np.log([1.0, 1.0])
        return [scores, numbers]

    judge = Judge(size=(0.9, 0.9))
    detector = FaceDetector(FakeSession(first, beside), judge.refiner)
    assert len(detector.detect(BLANK, min_face_size=1)) == 1
    assert len(judge.shown) == 2 + 1


def test_a_detector_that_looks_twice_needs_both() -> None:
    with pytest.raises(ModelError, match="expected a refiner where the config has a refinement"):
        FaceDetector(FakeSession(config(detection=detection()), lambda _: []))
    with pytest.raises(ModelError, match="and only there"):
        FaceDetector(FakeSession(config(detection=DETECTION), lambda _: []), Judge().refiner)


def test_what_may_be_a_face_is_judged_again_where_it_was_found() -> None:
    still, moving = Judge(), Judge(middle=(0.25, 0))  # to the right by a quarter of the cut
    (there,) = looking_twice(still, most=1).detect(BLANK, min_face_size=1)
    (moved,) = looking_twice(moving, most=1).detect(BLANK, min_face_size=1)
    assert moved.box[0] - there.box[0] == pytest.approx(2 * 0.25 * 16)
    assert len(moving.shown) == 2


@pytest.mark.parametrize(
    ("score", "middle", "judged"),
    [
        (0.97, (0.02, 0), 1),  # it was judged where it is
        (0.94, (0.02, 0), 2),
        (0.97, (0.06, 0), 2),  # to the right by an eighth of the box: an overlap of .78
    ],
)
def test_a_sure_face_is_not_judged_again_where_it_was_proposed(
    score: float, middle: tuple[float, float], judged: int
) -> None:
    judge = Judge(score, middle)
    (face,) = looking_twice(judge, most=1).detect(BLANK, min_face_size=1)
    assert len(judge.shown) == judged
    assert face.score == pytest.approx(score)


def test_of_what_is_no_face_only_the_best_is_judged_again() -> None:
    judge = Judge(score=0.05)
    assert looking_twice(judge).detect(BLANK, min_face_size=1) == []
    # Two proposals and one of them again; and the best one of the coarse look, and it again.
    assert len(judge.shown) == 2 + 1 + 1 + 1
