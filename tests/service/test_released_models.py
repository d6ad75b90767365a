"""Every released model, loaded by the service's own session, says what it said when released."""

import json
from pathlib import Path

import numpy as np
import pytest

from service.classifier import ExpressionClassifier
from service.session import load_session
from service.settings import Settings

MODELS = Path(__file__).parents[2] / "models"
DIRECTORIES = sorted(path for path in MODELS.iterdir() if path.is_dir())
EXPRESSIONS = [path for path in DIRECTORIES if path.name.startswith("expression-")]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_golden_outputs_come_again(directory: Path) -> None:
    session = load_session(directory)
    golden = np.load(directory / "golden.npz")
    inputs = golden[session.config.input.name]
    for name, output in zip(session.config.outputs, session.run(inputs), strict=True):
        np.testing.assert_allclose(output, golden[name], atol=1e-3, err_msg=name)


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_the_directory_is_whole(directory: Path) -> None:
    config = load_session(directory).config
    assert directory.name == f"{config.name}-{config.version}"
    assert {"model.onnx", "golden.npz", "metrics.json"} <= set(config.files)
    assert (directory / "MODEL_CARD.md").exists()


@pytest.mark.parametrize("directory", EXPRESSIONS, ids=lambda path: path.name)
def test_the_card_quotes_the_metrics(directory: Path) -> None:
    card = (directory / "MODEL_CARD.md").read_text()
    metrics = json.loads((directory / "metrics.json").read_text())
    for name, figures in metrics["splits"].items():
        assert f"| {name} | {figures['images']} | {100 * figures['accuracy']:.2f} |" in card
    for recall in metrics["splits"]["PrivateTest"]["recall"].values():
        assert f"{100 * recall:.2f}" in card


@pytest.mark.parametrize("directory", EXPRESSIONS, ids=lambda path: path.name)
def test_a_crop_has_the_same_answer_alone_and_in_a_batch(directory: Path) -> None:
    classifier = ExpressionClassifier(load_session(directory))
    crops = np.load(directory / "golden.npz")["image"]
    together = np.concatenate([classifier.predict(crops[:8]), classifier.predict(crops[8:])])
    alone = np.concatenate([classifier.predict(crop[None]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(alone.sum(axis=1), 1, atol=1e-5)


def test_the_default_models_are_released() -> None:
    settings = Settings()
    names = {path.name for path in DIRECTORIES}
    assert {settings.expression_model, settings.detector_model} <= names
