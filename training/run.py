"""The folder of a run: its recipe, its checkpoint, its log and its curves.

What is trained goes on from the folder's checkpoint, by the same command, to the same end.
"""

import json
import math
import os
import sys
import time
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.config import Augmentation, TrainConfig
from training.curves import CLASSIFICATION, Curves, plot_curves


class OtherRunError(ValueError):
    """The folder has the checkpoint of another recipe, or of other data."""


def checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """CRC-32 of what a run learns from: images, and what it is to say of them."""
    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array).tobytes(), total)
    return total


def write_config(config: TrainConfig, folder: Path, data: int) -> None:
    """Note recipe and `checksum` in a run's folder, which may have a checkpoint of both.

    Only the number of epochs may be another: a run may go on for longer. Raises `OtherRunError`.
    """
    file = folder / "config.json"
    recipe = {**json.loads(json.dumps(asdict(config))), "data": data}
    if (folder / "log.json").exists():
        written = json.loads(file.read_text())
        if "data" not in written:
            recipe.pop("data")  # of an older run nobody knows what it learnt from
        common = (recipe.keys() & written.keys()) - {"epochs"}
        if others := sorted(name for name in common if recipe[name] != written[name]):
            raise OtherRunError(
                f"{folder}: expected a checkpoint of the same recipe, found one with another "
                f"{', '.join(others)}; train into another folder, or move this one away"
            )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(recipe, indent=1))


def read_config(folder: Path) -> TrainConfig:
    """The config of the run that wrote this folder."""
    written = json.loads((folder / "config.json").read_text())
    written.pop("data", None)
    augmentation = Augmentation(**written["augmentation"])
    teachers = tuple(written.get("teachers", ()))
    return TrainConfig(**{**written, "augmentation": augmentation, "teachers": teachers})


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Writes weights, optimiser and log: a kill loses one epoch, or the last half minute.

    On a GPU an epoch takes a second or two, and writing after each would take as long again.
    """

    PERIOD = 30.0  # seconds from one writing to the next, where epochs are shorter

    def __init__(self, folder: Path, seed: int, curves: Curves = CLASSIFICATION) -> None:
        super().__init__()
        self.seed, self.curves = seed, curves
        self.weights, self.log = folder / "checkpoint.weights.h5", folder / "log.json"
        self.history: list[dict[str, Any]] = []
        self.written = -math.inf  # when; the first epoch is written whatever it took

    def restore(self, model: keras.Model) -> int:
        """Load the last checkpoint, if there is one; returns the number of epochs it has behind."""
        if not self.log.exists():
            return 0
        self.history = json.loads(self.log.read_text())
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.weights)
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.monotonic()
        # Noise of each epoch depends on the seed and the epoch alone: a run that was stopped goes
        # on with what it would have drawn.
        for number, layer in enumerate(self.model._flatten_layers()):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign(np.array([self.seed + number, epoch << 20], np.uint32))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        figures = {name: round(float(value), 5) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self.started, 1)
        spent = {"learning_rate": rate, "seconds": seconds, "device": device()}
        self.history.append({"epoch": epoch + 1, **spent, **figures})
        last = epoch + 1 == self.params["epochs"]
        if last or time.monotonic() - self.written >= self.PERIOD:
            self._write()
            self.written = time.monotonic()

    def _write(self) -> None:
        # The log is renamed last: it says which epoch the weights belong to.
        new = self.weights.with_name("new.weights.h5")
        self.model.save_weights(new)
        new.replace(self.weights)
        new_log = self.log.with_suffix(".new")
        new_log.write_text(json.dumps(self.history, indent=1))
        new_log.replace(self.log)
        plot_curves(self.history, self.log.with_name("curves.png"), self.curves)


def device() -> str:
    """What computes, such as "jax, gpu" or "tensorflow, 2 cores": it goes with the seconds."""
    place = str(ops.convert_to_tensor(0.0).device).lower()
    gpu = "gpu" in place or "cuda" in place
    return f"{keras.backend.backend()}, {'gpu' if gpu else f'{os.cpu_count()} cores'}"


def go_on(
    model: keras.Model,
    config: TrainConfig,
    batches: Any,
    folder: Path,
    about: str,
    data: int,
    *,
    curves: Curves = CLASSIFICATION,
    **judged: Any,
) -> None:
    """Train to the config's last epoch, from the folder's checkpoint if it has one.

    `about` says what is trained, `data` is the checksum of what it learns from, and `judged` are
    the arguments of Keras's own `fit` for what is looked at after each epoch.
    """
    write_config(config, folder, data)
    checkpoint = Checkpoint(folder, config.seed, curves)
    done = batches.epoch = checkpoint.restore(model)
    print(f"{config.system}: {about}, {done} of {config.epochs} epochs done")
    model.fit(
        batches,
        initial_epoch=done,
        epochs=config.epochs,
        callbacks=[checkpoint],
        verbose=1 if sys.stdout.isatty() else 2,  # a progress bar for people, lines for logs
        shuffle=False,  # the batches draw their own order, the same after a resume
        **judged,
    )
