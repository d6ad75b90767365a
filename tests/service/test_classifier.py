from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.classifier import ExpressionClassifier
from service.errors import InferenceFailed, ModelError
from service.session import ModelConfig, load_session
from tests.service import graphs
from tests.service.fakes import FakeSession


def config(**changes: Any) -> ModelConfig:
    return ModelConfig.model_validate(graphs.config(files={"model.onnx": "0" * 64}, **changes))


def answering(logits: list[list[float]], temperature: float = 1.0) -> ExpressionClassifier:
    """A classifier whose graph gives these logits, whatever it sees."""
    rows = np.array(logits, np.float32)
    return ExpressionClassifier(FakeSession(config(temperature=temperature), lambda _: [rows]))


CROP = np.zeros((1, 48, 48), np.uint8)


def test_it_knows_the_labels_of_its_model_in_order() -> None:
    assert answering([[0] * 7]).labels == tuple(graphs.LABELS)


def test_it_knows_below_which_confidence_an_answer_is_uncertain() -> None:
    assert answering([[0] * 7]).uncertain_below == 0.5


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    probabilities = answering([[0, 0, 0, np.log(3), 0, 0, 0], [0] * 7]).predict(CROP)
    assert probabilities.dtype == np.float32
    expected = [[1 / 9] * 3 + [3 / 9] + [1 / 9] * 3, [1 / 7] * 7]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)


def test_a_temperature_of_two_takes_half_of_the_logits() -> None:
    logits = [[1.0, -2, 3, 0, 5, -6, 0.5]]
    halved = [[value / 2 for value in logits[0]]]
    np.testing.assert_allclose(
        answering(logits, temperature=2).predict(CROP), answering(halved).predict(CROP), rtol=1e-6
    )


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_logits_neither_overflow_nor_vanish(size: float) -> None:
    found = answering([[size] * 2 + [-size] * 5]).predict(CROP)
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0, 0, 0, 0]])


def test_rows_sum_to_one() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (1000, 7)).tolist()
    sums = answering(logits).predict(CROP).astype(np.float64).sum(axis=1)
    np.testing.assert_allclose(sums, 1, atol=2e-7)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_a_failure(value: float) -> None:
    with pytest.raises(InferenceFailed, match="not finite"):
        answering([[0.0] * 6 + [value]]).predict(CROP)


@pytest.mark.parametrize(
    "missing", [{"labels": None}, {"temperature": None}, {"uncertain_below": None}]
)
def test_a_model_that_is_no_classifier_is_refused(missing: dict[str, None]) -> None:
    with pytest.raises(ModelError, match=r"labels, temperature and uncertain_below, found .*None"):
        ExpressionClassifier(FakeSession(config(**missing), lambda _: []))


def test_a_crop_gets_the_same_answer_alone_and_in_a_batch(tmp_path: Path) -> None:
    session = load_session(graphs.write_model(tmp_path, graphs.classifier(), {}))
    classifier = ExpressionClassifier(session)
    crops: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (8, 48, 48), np.uint8)
    together = classifier.predict(crops)
    assert together.shape == (8, 7)
    for crop, expected in zip(crops, together, strict=True):
        np.testing.assert_allclose(classifier.predict(crop[None])[0], expected, atol=1e-5)
