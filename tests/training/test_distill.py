"""A student learns from its teachers and leaves them behind when it is done."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from tests.training.conftest import SMALL
from training.dataset import Dataset
from training.distill import Distillation, distil
from training.metrics import Floats, kl_divergence, softmax
from training.run import read_config
from training.train import (
    build_trainable,
    load_network,
    load_teachers,
    restore_network,
    smoke,
    train,
)

ANSWERS = list(np.random.default_rng(0).normal(0, 3, (2, 1, 7)).astype(np.float32))
VIEW = np.zeros((4, 1, 2, 1), np.float32)


def teacher(answer: Floats) -> keras.Model:
    """Gives `answer`, whatever it sees."""
    view = keras.Input((1, 2, 1))
    logits = keras.layers.Lambda(lambda x: ops.zeros_like(x[:, 0, :1, 0]) + answer)(view)
    return keras.Model(view, {"logits": logits})


def added_loss(layer: Distillation, logits: Floats, training: bool = True) -> list[float]:
    passed = layer(logits, VIEW, training=training)
    np.testing.assert_array_equal(ops.convert_to_numpy(passed), logits)
    return [float(loss) for loss in layer.losses]


@pytest.mark.parametrize("count", [1, 2])
def test_the_loss_is_the_divergence_from_what_the_teachers_say_in_turn(count: int) -> None:
    logits = np.random.default_rng(1).normal(0, 3, (4, 7)).astype(np.float32)
    asked = ANSWERS[:count]
    layer = Distillation([teacher(answer) for answer in asked], weight=0.5, temperature=3)
    wanted = softmax(np.concatenate([asked[i % count] for i in range(4)]), 3)
    divergence = kl_divergence(wanted, softmax(logits, 3))
    assert added_loss(layer, logits) == [pytest.approx(0.5 * 9 * divergence, rel=1e-4)]


def test_over_many_views_the_mean_answer_is_what_costs_least() -> None:
    """Which teacher a view meets is chance, and the loss is linear in what teachers say."""
    layer = Distillation([teacher(answer) for answer in ANSWERS], weight=1, temperature=1)
    mean = np.log(np.mean([softmax(answer) for answer in ANSWERS], axis=0))
    losses = {}
    for name, said in (("mean", mean), ("first", ANSWERS[0]), ("second", ANSWERS[1])):
        layer(np.tile(said, (4, 1)), VIEW, training=True)
        losses[name] = float(layer.losses[0])
    assert min(losses, key=lambda name: losses[name]) == "mean"


def test_who_agrees_loses_nothing() -> None:
    layer = Distillation([teacher(ANSWERS[0])], weight=1, temperature=2)
    assert added_loss(layer, np.tile(ANSWERS[0] + 5, (4, 1))) == [pytest.approx(0, abs=1e-5)]


def test_teachers_are_asked_in_training_only() -> None:
    layer = Distillation([teacher(ANSWERS[0])], weight=1, temperature=2)
    assert added_loss(layer, np.tile(ANSWERS[1], (4, 1)), training=False) == []


def test_teachers_see_a_view_as_often_in_a_mirror() -> None:
    view = keras.Input((1, 2, 1))
    left = keras.layers.Lambda(lambda x: x[:, 0, :1, 0])(view)
    logits = keras.layers.Concatenate()([left, -left])
    layer = Distillation([keras.Model(view, {"logits": logits})], weight=1, temperature=1)
    views = np.tile(np.array([-40, 40], np.float32).reshape(1, 1, 2, 1), (1000, 1, 1, 1))
    # Who says "the first" has no loss where that is said to it, and 40 nats where it is not.
    layer(np.tile(np.array([20, -20], np.float32), (1000, 1)), views, training=True)
    assert float(layer.losses[0]) / 40 == pytest.approx(0.5, abs=0.06)


def linear(view: Any, name: str) -> Any:
    return keras.layers.Dense(7, name=name)(keras.layers.Flatten()(view))


def test_a_student_comes_to_say_what_its_teacher_says(dataset: Dataset) -> None:
    keras.utils.set_random_seed(0)
    view = keras.Input((48, 48, 1))
    master = keras.Model(view, {"logits": linear(view, "of_the_teacher")})
    kernel = np.random.default_rng(2).normal(0, 1, (48, 48, 7))
    kernel += kernel[:, ::-1]  # says the same in a mirror
    master.layers[-1].kernel.assign(kernel.reshape(-1, 7))
    before = [ops.convert_to_numpy(weight) for weight in master.weights]
    seen = keras.Input((48, 48), dtype="uint8")
    scaled = keras.layers.Reshape((48, 48, 1))(keras.layers.Rescaling(1 / 255)(seen))
    augmented = keras.layers.Identity(name="augment")(scaled)
    student = keras.Model(seen, {"logits": linear(augmented, "of_the_student")}, name="student")

    images, told = dataset.images, master.predict(dataset.images[..., None] / 255, verbose=0)

    def agree() -> float:
        said = student.predict(images, verbose=0)["logits"].argmax(axis=1)
        return float((said == told["logits"].argmax(axis=1)).mean())

    assert agree() < 0.4
    labels = {"logits": np.zeros((len(images), 7), np.float32)}  # cross-entropy with these is 0
    model = distil(student, [master], weight=1, temperature=2)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss={"logits": loss})
    model.fit(images, labels, batch_size=len(images), epochs=60, verbose=0)

    assert agree() > 0.8
    for weight, value in zip(master.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)


def test_a_run_learns_from_runs_stops_and_goes_on(
    run: Path, dataset: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "student"
    config = replace(
        SMALL, seed=1, teachers=(str(run), str(run)), teacher_weight=0.8, teacher_temperature=3.0
    )
    train(replace(config, epochs=1), dataset, folder)
    student = train(config, dataset, folder)

    assert [epoch["epoch"] for epoch in json.loads((folder / "log.json").read_text())] == [1, 2]
    assert read_config(folder) == replace(config, architecture={"widths": [8, 8, 16]})
    images = dataset.images[:20]
    left_alone = load_network(folder)
    assert "distillation" not in [layer.name for layer in left_alone.layers]
    expected, found = (n.predict(images, verbose=0)["logits"] for n in (student, left_alone))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_variable_has_the_path_of_another(run: Path) -> None:
    config = replace(SMALL, teachers=(str(run), str(run)))
    teachers = load_teachers(config)
    model = distil(build_trainable(config), teachers, weight=1, temperature=1)
    paths = [variable.path for variable in model.variables]
    assert len(set(paths)) == len(paths)


def test_the_smoke_run_learns_from_smoke_runs(dataset: Dataset) -> None:
    config, _ = smoke(replace(SMALL, teachers=("runs/a", "runs/b")), dataset)
    assert config.teachers == ("runs/a-smoke", "runs/b-smoke")


def test_a_restored_network_has_the_precision_that_is_set(run: Path) -> None:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        network = restore_network(run)
        assert network.layers[-1].layers[1].compute_dtype == "bfloat16"
    finally:
        keras.mixed_precision.set_global_policy("float32")
