"""From photos to a face found over HTTP, with all real parts and a network too small to be good."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from service.app import create_app
from service.session import GRAPHS, Precision
from service.settings import Settings
from tests.training.conftest import make_dataset, refine
from training import detector_evaluate, detector_release, refiner_train
from training import detector_train as module
from training.cascade import propose
from training.config import TrainConfig, load_config
from training.detection_metrics import SIDE
from training.detector_release import gate, release
from training.detector_train import CONFIG, build_network, load_detector, train
from training.photo_set import PhotoSet, open_photo_set
from training.quantize import FP32, INT8
from training.refiner_train import FOLDER as REFINER
from training.run import Checkpoint, OtherRunError
from training.systems import count_macs

CONFIGS = sorted(CONFIG.parent.glob("[!_]*.py"))
SMALL = TrainConfig(
    system="face_detector",
    architecture={"widths": (8, 8, 16)},
    epochs=2,
    batch_size=4,
    optimizer="adam",
    learning_rate=5e-3,
    weight_average=0.5,
)

SMALL_REFINER = replace(
    SMALL, system="face_refiner", architecture={"widths": (8, 8, 16, 16)}, batch_size=16
)

LEAST = 0.001  # what a network that is no good gives anything


@pytest.fixture(scope="module")
def photos(photos_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    """Labelled by the teacher itself."""
    return open_photo_set(photos_dir, tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def run(photos: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs") / "small"
    train(SMALL, photos, folder)
    faces = make_dataset().images[:6]
    refiner_train.train(SMALL_REFINER, photos, faces, folder, crops=64)
    return folder


@pytest.fixture(scope="module")
def released(run: Path, photos: PhotoSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("models") / "face-detector-9.8.7"
    release(run, photos, make_dataset().images[:6], out)
    return out


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_says_its_command_and_keeps_to_the_budget(path: Path) -> None:
    config, text = load_config(path), path.read_text()
    if config.system == "face_refiner":
        assert "python -m training.detector refine --photos" in text
        assert 1e6 < count_macs(build_network(config)) <= 20e6
    else:
        assert "python -m training.detector train --photos" in text
        assert 20e6 < count_macs(build_network(config, height=240, width=320)) <= 60e6


def test_the_teacher_found_the_faces(photos: PhotoSet) -> None:
    with_face = [number % 4 > 0 for number in range(len(photos.labelled))]
    assert [bool(photo.sure.any()) for photo in photos.labelled] == with_face
    assert len(photos.held_back) == 2


@pytest.mark.parametrize("look", [".", "refiner"])
def test_a_run_learns_and_tells_so(run: Path, look: str) -> None:
    run /= look
    history = json.loads((run / "log.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"]
    for name in ("loss", "heat_loss", "box_loss", "landmark_loss"):
        assert {name, f"val_{name}"} <= set(history[0])
    assert (run / "curves.png").stat().st_size > 1000


def test_a_stopped_run_goes_on_to_the_same_end(
    run: Path, photos: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    class KilledAfterOneEpoch(Checkpoint):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_end(epoch, logs)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("training.run.Checkpoint", KilledAfterOneEpoch)
        with pytest.raises(Killed):
            train(SMALL, photos, tmp_path / "run")
    train(SMALL, photos, tmp_path / "run")
    resumed, straight = (
        json.loads((folder / "log.json").read_text()) for folder in (tmp_path / "run", run)
    )
    assert [epoch["epoch"] for epoch in resumed] == [1, 2]
    assert resumed[1]["loss"] == pytest.approx(straight[1]["loss"], rel=1e-3)


def test_a_run_on_other_photos_is_left_alone(run: Path, photos: PhotoSet) -> None:
    fewer = replace(photos, training=photos.training[1:])
    with pytest.raises(OtherRunError, match="another data"):
        train(SMALL, fewer, run)


def test_what_is_loaded_has_the_averaged_weights(run: Path) -> None:
    averaged = load_detector(run)
    raw = build_network(SMALL)
    module.compile_network(raw, SMALL, 1)
    raw.optimizer.build(raw.trainable_variables)
    raw.load_weights(run / "checkpoint.weights.h5")
    for average, last, mean in zip(
        averaged.trainable_variables,
        raw.trainable_variables,
        raw.optimizer._model_variables_moving_average,
        strict=True,
    ):
        np.testing.assert_array_equal(average.numpy(), mean.numpy())
        assert (average.numpy() != last.numpy()).any()


def test_a_rehearsal_is_one_epoch() -> None:
    short = module.smoke(load_config(CONFIG))
    assert (short.epochs, short.architecture) == (1, load_config(CONFIG).architecture)


# Released


def test_the_directory_describes_itself(released: Path) -> None:
    config = json.loads((released / "config.json").read_text())
    assert f"{config['name']}-{config['version']}" == released.name
    for name, checksum in config["files"].items():
        assert hashlib.sha256((released / name).read_bytes()).hexdigest() == checksum
    detection = config["detection"]
    assert detection["stride"] == [8, 16]
    assert 0 < detection["lone_threshold"] <= detection["score_threshold"] < 1
    assert detection["score_threshold"] <= detection["turned_threshold"] < 1


def test_an_int8_graph_that_finds_fewer_faces_is_not_released(
    run: Path, photos: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = detector_evaluate.evaluate

    def worse(*arguments: Any) -> dict[str, Any]:
        measured = evaluate(*arguments)
        recall = measured["fp32"]["recall"] - 1.01 * detector_release.LARGEST_LOSS
        return {**measured, "int8": {**measured["int8"], "recall": recall}}

    monkeypatch.setattr(detector_release, "evaluate", worse)
    out = tmp_path / "face-detector-9.8.7"
    release(run, photos, make_dataset().images[:6], out)
    assert not (out / INT8).exists()
    assert INT8 not in json.loads((out / "config.json").read_text())["files"]
    assert not json.loads((out / "metrics.json").read_text())["int8"]["released"]


def test_the_card_quotes_what_was_measured(released: Path) -> None:
    card = (released / "MODEL_CARD.md").read_text()
    metrics = json.loads((released / "metrics.json").read_text())
    for name, figures in metrics["held_back"].items():
        assert f"| {name} | {figures['recall']:.3f} |" in card
    for look in ("first_look", "second_look"):
        assert f"{metrics['training'][look]['parameters']:,}" in card
    assert "16 photo" in card
    assert "does NOT hold" in card
    assert "$" not in card


def test_the_figures_compare_with_centerface(released: Path) -> None:
    metrics = json.loads((released / "metrics.json").read_text())
    held_back = metrics["held_back"]
    assert held_back["CenterFace at the same size"]["recall"] == 1
    assert held_back["fp32"]["faces"] == held_back["int8"]["faces"] == 2
    assert metrics["gate"]["recall"] == 1
    assert not metrics["gate"]["holds"]


@pytest.mark.parametrize(
    ("recall", "error", "holds"),
    [(0.85, 0.06, True), (0.84, 0.06, False), (0.9, 0.07, False), (0.0, None, False)],
)
def test_the_gate_is_to_be_as_good_as_centerface(
    recall: float, error: float | None, holds: bool
) -> None:
    centerface = {"recall": 0.85, "landmark_error": 0.06}
    asked = gate({"recall": recall, "landmark_error": error}, centerface)
    assert asked["holds"] == holds
    assert {name: asked[name] for name in centerface} == centerface


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_service_finds_over_http_what_training_finds(
    released: Path, models_dir: Path, photos_dir: Path, tmp_path: Path, precision: Precision
) -> None:
    photo = photos_dir / "photo_01.jpg"
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    refiner = (released / REFINER / FP32).read_bytes()
    # A network that is no good is sure of nothing, so what it is surest of counts here.
    proposed = propose((released / GRAPHS[precision]).read_bytes(), pixels, SIDE, 0.0)
    faintest = float(proposed.scores[10])
    folder = shutil.copytree(released, tmp_path / released.name)
    config = json.loads((folder / "config.json").read_text())
    config["detection"] |= {"score_threshold": LEAST, "lone_threshold": LEAST}
    changes = {"proposed_from": faintest, "least": 1, "again_from": LEAST}
    config["detection"]["refinement"] |= changes
    (folder / "config.json").write_text(json.dumps(config))
    expression = Settings().expression_model
    (tmp_path / expression).symlink_to(models_dir / expression, target_is_directory=True)
    settings = Settings(models_dir=tmp_path, detector_model=folder.name, precision=precision)

    height, width, _ = pixels.shape
    may_be = refine(refiner, pixels, proposed.boxes[proposed.scores >= faintest], LEAST)
    boxes = refine(refiner, pixels, may_be.boxes, LEAST)
    expected = boxes.boxes.clip(0, [width, height, width, height])
    sizes = expected[:, 2:] - expected[:, :2]
    expected = np.concatenate([expected[:, :2], sizes], axis=1)[sizes.min(axis=1) > 0]
    assert len(expected) >= 5

    with TestClient(create_app(settings)) as client:
        answer = client.post(
            "/predict",
            content=photo.read_bytes(),
            headers={"Content-Type": "image/jpeg"},
            params={"min_face_size": 1},
        )
        models = client.get("/model").json()
    assert answer.status_code == 200
    assert models["detector"]["version"] == "9.8.7"
    found = [[face["box"][side] for side in "xywh"] for face in answer.json()["faces"]]
    assert len(found) == len(expected)
    apart = np.abs(np.array(found)[:, None] - expected).max(axis=2)
    assert max(apart.min(axis=0).max(), apart.min(axis=1).max()) < 0.1


def test_a_release_that_fails_leaves_no_config(
    run: Path, photos: PhotoSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("training.detector_release.TOLERANCE", -1.0)
    with pytest.raises(AssertionError, match="expected Keras's numbers"):
        release(run, photos, make_dataset().images[:6], tmp_path)
    assert not (tmp_path / "config.json").exists()
