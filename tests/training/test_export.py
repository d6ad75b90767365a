"""A release from end to end: train small, export, verify, evaluate, and read every file again."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from training import evaluate
from training.config import TrainConfig
from training.dataset import Dataset, Split
from training.evaluate import measure, run_model
from training.export import golden_images, release, write_onnx
from training.prior import adjust, log_shares
from training.release import perturbed, write_json
from training.train import build_trainable, load_network
from training.verify import VerificationError, main, verify


@pytest.fixture(scope="module")
def released(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("models") / "expression-9.8.7"
    release(run, dataset, out)
    return out


def test_the_directory_describes_itself(released: Path) -> None:
    config = json.loads((released / "config.json").read_text())
    assert (config["name"], config["version"]) == ("expression", "9.8.7")
    assert config["command"] == (
        "python -m training.export runs/small --data FER2013.npz --out models/expression-9.8.7"
    )
    assert config["labels"] == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    for file, checksum in config["files"].items():
        assert hashlib.sha256((released / file).read_bytes()).hexdigest() == checksum
    assert 0.2 <= config["temperature"] <= 5
    assert 0 < config["uncertain_below"] <= 1


def test_the_graph_takes_bytes_in_batches_of_any_size(released: Path) -> None:
    session = onnxruntime.InferenceSession(released / "model.onnx")
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 48, 48])
    assert [output.name for output in session.get_outputs()] == ["logits", "ferplus", "maps"]
    graph = onnx.load(released / "model.onnx")
    assert {entry.domain: entry.version for entry in graph.opset_import}[""] == 17
    for count in (1, 3):
        images = np.zeros((count, 48, 48), np.uint8)
        assert session.run(["logits"], {"image": images})[0].shape == (count, 7)


def test_each_output_is_the_head_it_is_named_after(
    released: Path, run: Path, dataset: Dataset
) -> None:
    expected = load_network(run).predict(dataset.images[:9], verbose=0)
    found = run_model(released / "model.onnx", dataset.images[:9])
    for head in ("logits", "ferplus"):
        np.testing.assert_allclose(found[head], expected[head], atol=1e-4)


def test_golden_holds_what_the_graph_says(released: Path) -> None:
    golden = np.load(released / "golden.npz")
    found = run_model(released / "model.onnx", golden["image"])
    np.testing.assert_allclose(found["logits"], golden["logits"], atol=1e-5)
    assert len({image.tobytes() for image in golden_images()}) == 16


def test_figures_are_compared_as_far_as_they_can_be_measured(
    released: Path,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def says(data: Dataset) -> str:
        data.save(tmp_path / "data.npz")
        arguments = ["evaluate", str(released), "--data", str(tmp_path / "data.npz")]
        monkeypatch.setattr(sys, "argv", arguments)
        evaluate.main()
        return capsys.readouterr().out

    without_votes = replace(dataset, votes=np.zeros_like(dataset.votes))
    others = replace(dataset, labels=(dataset.labels + 1) % 7)
    assert "FER+" in says(dataset)
    assert "figures are equal" in says(dataset)
    assert "figures are equal" in says(without_votes)
    assert "FER+" not in says(without_votes)
    assert "figures are NOT equal" in says(others)


def test_metrics_name_their_split_and_say_what_evaluate_says(
    released: Path, dataset: Dataset
) -> None:
    metrics = json.loads((released / "metrics.json").read_text())
    config = json.loads((released / "config.json").read_text())
    assert metrics["splits"] == measure(released / "model.onnx", dataset, config["temperature"])
    private = metrics["splits"]["PrivateTest"]
    assert private["images"] == 56
    confusion = np.array(private["confusion"])
    assert private["accuracy"] == pytest.approx(np.trace(confusion) / 56, abs=1e-5)
    low, high = private["accuracy_interval_95"]
    assert low <= private["accuracy"] <= high


def test_the_card_quotes_metrics_json(released: Path) -> None:
    card = (released / "MODEL_CARD.md").read_text()
    metrics = json.loads((released / "metrics.json").read_text())
    for name, figures in metrics["splits"].items():
        assert f"| {name} | {figures['images']} | {100 * figures['accuracy']:.2f} |" in card
    assert "$" not in card


def test_a_release_holds_its_pictures_and_what_it_bears(released: Path) -> None:
    config, metrics = (
        json.loads((released / name).read_text()) for name in ("config.json", "metrics.json")
    )
    assert ("model.int8.onnx" in config["files"]) is metrics["int8"]["released"]
    assert (released / "model.int8.onnx").exists() is metrics["int8"]["released"]
    card = (released / "MODEL_CARD.md").read_text()
    for picture in ("reliability.svg", "robustness.svg"):
        assert f"]({picture})" in card
        assert (released / picture).read_text().startswith("<?xml")
    jpeg = " | ".join(
        f"{100 * a:.2f}" for a in metrics["robustness"]["corruptions"]["jpeg"].values()
    )
    assert f"| jpeg | {jpeg} |" in card


def test_verify_refuses_another_graph(
    released: Path, run: Path, dataset: Dataset, tmp_path: Path
) -> None:
    other = tmp_path / "model.onnx"
    onnx.save(perturbed(onnx.load(released / "model.onnx")), other)
    with pytest.raises(VerificationError, match="expected Keras and ONNX Runtime to agree"):
        verify(load_network(run), other, dataset.images[:32])


def test_the_command_knows_what_a_release_adds_to_the_logits(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, strength = load_network(run), 0.25
    adjust(network, strength * log_shares(dataset.split(Split.TRAINING).labels, 7))
    write_onnx(network, tmp_path / "model.onnx")
    write_json(tmp_path / "metrics.json", {"adjustment": {"strength": strength}})
    dataset.save(tmp_path / "data.npz")
    arguments = ["--run", str(run), "--data", str(tmp_path / "data.npz")]
    monkeypatch.setattr("sys.argv", ["verify", str(tmp_path), *arguments])

    main()
    write_json(tmp_path / "metrics.json", {"adjustment": {"strength": 0.0}})
    with pytest.raises(VerificationError, match="output logits"):
        main()


def test_verify_refuses_images_that_show_nothing(released: Path, run: Path) -> None:
    """On black pictures the first convolution's weights do not matter, so no error would show."""
    with pytest.raises(VerificationError, match="cannot tell graphs apart"):
        verify(load_network(run), released / "model.onnx", np.zeros((8, 48, 48), np.uint8))


@pytest.mark.parametrize(
    "system",
    ["proposed", "vggnet", "cnn", "clcm", "mobilenetv2", "shufflenetv2", "svm"],
)
def test_every_system_of_the_paper_is_exported_as_it_is(
    system: str, dataset: Dataset, tmp_path: Path
) -> None:
    """Untrained, but with batch normalisation's means of real activations: without those, a deep
    network's logits vanish, and nothing could be seen to differ.
    """
    network = build_trainable(TrainConfig(system, 1, 8, "sgd", 0.01))
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(dataset.images[:32], training=True)
    write_onnx(network, tmp_path / "model.onnx", maps=False)
    assert list(
        verify(network, tmp_path / "model.onnx", dataset.images[:32])["largest_difference"]
    ) == ["logits"]


def test_a_system_that_is_compared_has_metrics_and_no_release(compared: Path) -> None:
    folder = compared / "runs" / "paper_proposed" / "model"
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.json", "model.onnx"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["verification"]["largest_difference"]["logits"] <= 1e-4
    assert metrics["training"]["planned_epochs"] == 2
