import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.analysis import Analysis, FaceExpression
from service.errors import InvalidParameter, Overloaded
from service.options import Options
from service.schemas import BatchPrediction, ModelName, Prediction, Problem
from service.timing import Timing
from tests.service.front import FACE, LABELS, MODELS, PROBABILITIES, TIMING


def prediction(*faces: FaceExpression) -> Prediction:
    analysis = Analysis(640, 480, faces, TIMING)
    return Prediction.of(analysis, LABELS, MODELS.expression, "r1")


def test_no_face_is_an_empty_list() -> None:
    assert json.loads(prediction().model_dump_json())["faces"] == []


def test_faces_keep_their_order() -> None:
    sad = np.roll(PROBABILITIES, 1)

    found = prediction(
        FaceExpression(FACE, PROBABILITIES, uncertain=False),
        FaceExpression(FACE, sad, uncertain=False),
    )

    assert [face.dominant_emotion for face in found.faces] == ["happy", "sad"]


def test_labels_are_in_the_models_order() -> None:
    (face,) = prediction(FaceExpression(FACE, PROBABILITIES, uncertain=False)).faces

    assert list(face.emotion) == list(LABELS)


def test_of_a_model_only_its_name_is_told() -> None:
    told = json.loads(prediction().model_dump_json())["model"]

    assert told == {"name": "expression", "version": "1.2.3"}


@given(st.lists(st.floats(-20, 20), min_size=7, max_size=7))
def test_probabilities_sum_to_one_and_the_largest_is_the_confidence(logits: list[float]) -> None:
    powers = np.exp(np.array(logits, np.float32))
    (face,) = prediction(FaceExpression(FACE, powers / powers.sum(), uncertain=False)).faces

    assert sum(face.emotion.values()) == pytest.approx(1, abs=1e-6)
    assert face.confidence == max(face.emotion.values()) == face.emotion[face.dominant_emotion]


@pytest.mark.parametrize("uncertain", [True, False])
def test_whether_a_face_is_uncertain_is_told(uncertain: bool) -> None:
    (face,) = prediction(FaceExpression(FACE, PROBABILITIES, uncertain)).faces

    assert face.uncertain is uncertain


def test_a_probability_of_one_stays_in_bounds() -> None:
    certain = np.array([0, 0, 0, 1.0000001, 0, 0, 0], np.float32)

    (face,) = prediction(FaceExpression(FACE, certain, uncertain=False)).faces

    assert face.confidence == 1.0


def test_times_are_milliseconds() -> None:
    timing = Timing(decode=0.0012345, detect=0, queue=0, inference=0, total=1.5)

    found = Prediction.of(Analysis(1, 1, (), timing), LABELS, MODELS.expression, "r1")

    assert (found.timing_ms.decode, found.timing_ms.total) == (1.234, 1500.0)


def test_a_problem_points_to_its_explanation() -> None:
    problem = Problem.of(Overloaded("All places are taken."), "r1")

    assert problem.model_dump() == {
        "type": "/docs#overloaded",
        "title": "Overloaded",
        "status": 503,
        "detail": "All places are taken.",
        "instance": "r1",
        "code": "overloaded",
    }


def test_a_batch_holds_predictions_and_problems() -> None:
    problem = Problem.of(Overloaded("No."), "r1")
    batch = BatchPrediction(results=[prediction(), problem], request_id="r1")

    first, second = json.loads(batch.model_dump_json())["results"]

    assert first["faces"] == []
    assert second["code"] == "overloaded"


def test_answers_do_not_change() -> None:
    name = ModelName(name="a", version="1")

    with pytest.raises(ValidationError):
        name.name = "b"  # type: ignore[misc]


def test_options_have_defaults() -> None:
    assert Options.of({}) == Options(detect=True, max_faces=100, min_face_size=20, rotate=False)


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(InvalidParameter) as refusal:
        Options.of({"detect": "x", "max_faces": "0", "smile": "1"})

    for name in ("detect", "max_faces", "smile"):
        assert f"{name}: " in refusal.value.detail
