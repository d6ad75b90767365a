"""Train one network: `python -m training.train CONFIG --data FER2013.npz`.

Reads top to bottom: config, data, network, optimiser, loop. The run's folder (runs/<config>/ unless
--out names another) holds the checkpoint, the log and the curves; the same command goes on from the
last checkpoint, which is at most an epoch or half a minute old. KERAS_BACKEND chooses what
computes: tensorflow, jax or torch. Teachers, which a config names as runs/<their config>, are
trained before it. A config that cleans the data reads what `training.audit` found: --findings.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from training.audit import clean, read_findings
from training.augment import Augment
from training.batches import Batches
from training.config import TrainConfig, load_config
from training.dataset import Dataset, DatasetError, Split
from training.distill import distil
from training.run import checksum, go_on, read_config, write_config
from training.systems import build_system, count_macs


def build_trainable(config: TrainConfig) -> keras.Model:
    """uint8 [N, 48, 48] -> logits: the service's own scaling, the augmentation, the network."""
    image = keras.Input((48, 48), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32")(image)
    x = layers.Reshape((48, 48, 1), dtype="float32")(x)
    x = Augment(config.augmentation, seed=config.seed, name="augment")(x)
    network = build_system(config)
    return keras.Model(image, network(x), name=config.system)


def cosine_schedule(config: TrainConfig, steps_per_epoch: int) -> Any:
    """Linear warm-up, then half a cosine to its end (Loshchilov & Hutter 2017, arXiv 1608.03983).

    A fixed budget, rather than waiting for a plateau: the result does not depend on the noise of
    the validation accuracy, and nothing about the schedule is tuned on it.
    """
    warmup = int(config.warmup_epochs * steps_per_epoch)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100 if warmup else config.learning_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=config.epochs * steps_per_epoch - warmup,
        alpha=config.final_learning_rate_share,
    )


def build_optimizer(config: TrainConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    schedule = cosine_schedule(config, steps_per_epoch)
    decay = config.weight_decay or None
    shared: dict[str, Any] = {"weight_decay": decay}
    if config.weight_average:  # (Polyak & Juditsky 1992)
        shared |= {"use_ema": True, "ema_momentum": config.weight_average}
    if config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(schedule, **shared)
    else:
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, **shared)
    if decay:  # Batch norm's scale and every bias stay free: decaying them only fights the norm.
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def targets(dataset: Dataset, config: TrainConfig) -> dict[str, NDArray[np.float32]]:
    """What each head should say: one-hot labels, and the raters' votes as probabilities."""
    wanted = {"logits": np.eye(7, dtype=np.float32)[dataset.labels]}
    if config.ferplus_weight:
        votes = dataset.votes[:, :8].astype(np.float32)
        if not votes.any():
            raise DatasetError(
                "expected the votes of FER+, which this config learns too, found none; pack the "
                "data set with them: python -m training.dataset --help"
            )
        # No vote for an expression (no face, unknown): all zero, and a zero target costs nothing.
        wanted["ferplus"] = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return wanted


def votes_loss(shares: Any, logits: Any) -> Any:
    """Cross-entropy [N] of shares [N, K], which may be all zero: then there is nothing to learn.

    Keras's own is TensorFlow's there, whose gradient takes for granted that they add up to 1.
    """
    return -ops.sum(shares * ops.log_softmax(logits), axis=-1)


def train(config: TrainConfig, dataset: Dataset, folder: Path) -> keras.Model:
    """Train to the end, from the folder's checkpoint if it has one, and return the model."""
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.precision)

    training, validation = dataset.split(Split.TRAINING), dataset.split(Split.PUBLIC_TEST)
    wanted = targets(training, config)
    batches = Batches(training.images, wanted, config)
    model = network = build_trainable(config)
    if config.teachers:
        teachers = load_teachers(config)
        model = distil(network, teachers, config.teacher_weight, config.teacher_temperature)
    losses: dict[str, Any] = {
        "logits": keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        )
    }
    weights = {"logits": 1 - config.teacher_weight}
    if config.ferplus_weight:
        losses["ferplus"] = votes_loss
        weights["ferplus"] = config.ferplus_weight
    model.compile(
        build_optimizer(config, len(batches)),
        loss=losses,
        loss_weights=weights,
        metrics={"logits": ["accuracy"]},
        # XLA takes longer to compile than the one epoch of a rehearsal.
        jit_compile="auto" if config.epochs > 1 else False,
    )

    about = (
        f"{count_macs(network) / 1e6:.1f} million MACs, "
        f"{network.count_params() / 1e6:.2f} million parameters, {len(training)} images"
    )
    go_on(
        model,
        config,
        batches,
        folder,
        about,
        checksum([training.images, *wanted.values()]),
        validation_data=(validation.images, targets(validation, config)),
        validation_batch_size=256,
    )
    return network


def solve(config: TrainConfig, dataset: Dataset, folder: Path) -> keras.Model:
    """The linear SVM's way to a run's folder: one convex problem, logged as one epoch."""
    from training.systems import svm  # scikit-learn is needed for this alone

    training, validation = dataset.split(Split.TRAINING), dataset.split(Split.PUBLIC_TEST)
    model = build_trainable(config)
    wanted = targets(training, config)
    write_config(config, folder, checksum([training.images, *wanted.values()]))
    started = time.monotonic()
    steps = svm.fit(model, training.images, training.labels, config)
    entry: dict[str, Any] = {
        "epoch": 1,
        "newton_steps": steps,
        "seconds": round(time.monotonic() - started, 1),
        "device": f"scikit-learn, {os.cpu_count()} cores",
    }
    for name, part in (("logits_accuracy", training), ("val_logits_accuracy", validation)):
        said = model.predict(part.images, batch_size=256, verbose=0)["logits"].argmax(axis=1)
        entry[name] = round(float((said == part.labels).mean()), 5)

    model.save_weights(folder / "checkpoint.weights.h5")
    (folder / "log.json").write_text(json.dumps([entry], indent=1))
    return model


def load_teachers(config: TrainConfig) -> list[keras.Model]:
    """The networks of the finished runs that a config names as teachers.

    Each is built in a scope of its own: on PyTorch, Keras knows variables by their paths, and
    would not reset the gradients of those that have a teacher's.
    """
    teachers = []
    for number, folder in enumerate(map(Path, config.teachers)):
        with keras.name_scope(f"teacher_{number}"):
            # The system is the last layer of what a run trained.
            teachers.append(restore_network(folder).layers[-1])
    return teachers


def load_network(folder: Path) -> keras.Model:
    """The network of a run's last checkpoint, in float32: uint8 [N, 48, 48] -> logits."""
    keras.mixed_precision.set_global_policy("float32")
    return restore_network(folder)


def restore_network(folder: Path) -> keras.Model:
    """The same in the precision that is set. Teachers stay behind: they were for training only."""
    config = read_config(folder)
    network = build_trainable(config)
    load_weights(network, config, folder)
    return network


def load_weights(network: keras.Model, config: TrainConfig, folder: Path) -> None:
    """Those of a run's last checkpoint: their averages, where the run keeps any."""
    if config.weight_average:  # the optimiser has them
        network.compile(build_optimizer(config, steps_per_epoch=1))
        network.optimizer.build(network.trainable_variables)
    network.load_weights(folder / "checkpoint.weights.h5")
    if config.weight_average:
        network.optimizer.finalize_variable_values(network.trainable_variables)


def smoke(config: TrainConfig, dataset: Dataset) -> tuple[TrainConfig, Dataset]:
    """The same run on 1 % of the images for one epoch: shows that every part works.

    It learns from its teachers' smoke runs, and in float32, which is fast everywhere.
    """
    teachers = tuple(f"{folder}-smoke" for folder in config.teachers)
    short = replace(config, epochs=1, warmup_epochs=0.0, teachers=teachers, precision="float32")
    return short, dataset.take(np.arange(0, len(dataset), 100))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of training/configs/")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/<config>)")
    parser.add_argument("--smoke", action="store_true", help="one epoch of 1 %% of the images")
    parser.add_argument(
        "--findings",
        type=Path,
        default=Path("runs/audit/findings.csv"),
        help="what training.audit wrote (default: %(default)s), for a config that cleans",
    )
    arguments = parser.parse_args()
    config, dataset = load_config(arguments.config), Dataset.load(arguments.data)
    folder = arguments.out or Path("runs") / arguments.config.stem
    teachers = [
        (arguments.config.with_name(f"{Path(teacher).name}.py"), Path(teacher))
        for teacher in config.teachers
    ]
    for file, run in [*teachers, (arguments.config, folder)]:
        config, images = load_config(file), dataset
        if config.cleaning != "none":
            images = clean(images, read_findings(arguments.findings), config.cleaning)
        if arguments.smoke:
            config, images = smoke(config, images)
            run = run.with_name(run.name + "-smoke")
        (solve if config.optimizer == "liblinear" else train)(config, images, run)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
