from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.classifier import ExpressionClassifier
from service.errors import InferenceFailed, ModelError
from service.explainer import ExpressionExplainer
from service.faces import Frame
from service.session import ModelConfig
from tests.service import graphs
from tests.service.fakes import FakeSession

SIDE = 6


def config(**changes: Any) -> ModelConfig:
    outputs = {"outputs": ["logits", "maps"], "files": {"model.onnx": "0" * 64}}
    return ModelConfig.model_validate(graphs.config(**{**outputs, **changes}))


def graph(crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """The label of the crop's first pixel is the strongest; map k is k + 1 at the cell k, else 0.

    The map of label 6 is 0 everywhere.
    """
    logits = np.eye(7, dtype=np.float32)[crops[:, 0, 0]] * 5
    maps = np.zeros((len(crops), 7, SIDE, SIDE), np.float32)
    for label in range(6):
        maps[:, label, label, label] = label + 1
        maps[:, label, label, 0] = (label + 1) / 2
    return [logits, maps]


class WatchedSession(FakeSession):
    """Remembers how many crops ran together."""

    def __init__(self) -> None:
        super().__init__(config(), graph)
        self.sizes: list[int] = []

    def run(self, batch: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        self.sizes.append(len(batch))
        return super().run(batch, *outputs)


def crops_of(*labels: int) -> list[NDArray[np.uint8]]:
    return [np.full((48, 48), label, np.uint8) for label in labels]


def frames(count: int) -> list[Frame]:
    return [Frame(10.0 * number, 5.0, 40.0) for number in range(count)]


EXPLAINER = ExpressionExplainer(FakeSession(config(), graph))


def test_each_crop_s_strongest_expression_is_explained() -> None:
    _, heats = EXPLAINER.explain(crops_of(3, 0), frames(2))

    assert [heat.label for heat in heats] == ["happy", "angry"]
    assert [heat.frame.left for heat in heats] == [0.0, 10.0]
    assert heats[0].values.shape == (SIDE, SIDE)
    assert heats[0].values[3, 3] == 1


def test_another_expression_may_be_asked_for() -> None:
    _, heats = EXPLAINER.explain(crops_of(3, 0), frames(2), "fear")

    assert [heat.label for heat in heats] == ["fear", "fear"]
    assert [heat.values[2, 2] for heat in heats] == [1, 1]


def test_values_are_parts_of_the_largest() -> None:
    _, (heat,) = EXPLAINER.explain(crops_of(5), frames(1))

    assert heat.values.max() == 1
    assert heat.values[5, 0] == 0.5
    assert heat.values.min() == 0


def test_where_nothing_spoke_for_it_there_is_no_heat() -> None:
    _, (heat,) = EXPLAINER.explain(crops_of(0), frames(1), "neutral")

    assert heat.values.tolist() == np.zeros((SIDE, SIDE)).tolist()


def test_probabilities_are_those_of_the_classifier() -> None:
    crops = crops_of(1, 6, 4)

    rows, _ = EXPLAINER.explain(crops, frames(3))

    expected = ExpressionClassifier(FakeSession(config(), graph)).predict(np.stack(crops))
    np.testing.assert_array_equal(rows, expected)


def test_no_crops_no_run() -> None:
    session = WatchedSession()

    assert ExpressionExplainer(session).explain([], []) == ([], [])
    assert session.sizes == []


def test_many_crops_run_in_batches() -> None:
    session = WatchedSession()
    labels = [number % 7 for number in range(20)]

    rows, heats = ExpressionExplainer(session, max_batch_size=8).explain(
        crops_of(*labels), frames(20)
    )

    assert session.sizes == [8, 8, 4]
    assert [int(row.argmax()) for row in rows] == labels
    assert [heat.frame.left for heat in heats] == [10.0 * number for number in range(20)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_maps_that_are_not_finite_are_a_failure(value: float) -> None:
    def broken(crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        logits, maps = graph(crops)
        return [logits, maps + np.float32(value)]

    with pytest.raises(InferenceFailed, match="not finite"):
        ExpressionExplainer(FakeSession(config(), broken)).explain(crops_of(0), frames(1))


def test_a_model_without_maps_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected an output maps, found \['logits'\]"):
        ExpressionExplainer(FakeSession(config(outputs=["logits"]), graph))
