"""What one training run is: a frozen record, read from a Python file under training/configs/."""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Augmentation:
    """How far a training image may be changed. Zero leaves that property as it is.

    Every range is symmetric around "unchanged" and drawn anew for each image; a property named
    `*_share` is the share of the images that it is applied to at all.
    """

    flip: bool = True
    rotation_degrees: float = 0.0
    rotation_share: float = 1.0
    shift: float = 0.0  # share of the image's side
    shift_share: float = 1.0
    scale: float = 0.0  # .15 draws from 1/1.15 .. 1.15
    aspect: float = 0.0  # the same, width against height
    brightness: float = 0.0  # added, in units of the full range
    contrast: float = 0.0  # .25 draws a factor from 1/1.25 .. 1.25
    gamma: float = 0.0  # the same, as an exponent
    low_resolution_share: float = 0.0  # down to a half or a third of the size, and up again
    blur_share: float = 0.0  # Gaussian, sigma up to 1.2 pixels
    noise_share: float = 0.0  # Gaussian, standard deviation up to .06
    jpeg_share: float = 0.0  # luminance quantised as at quality 15 .. 80
    erasing_share: float = 0.0  # one rectangle of 2-20 % of the area becomes noise


@dataclass(frozen=True)
class TrainConfig:
    """One run. `system` names a file of training/systems/, `architecture` is its arguments."""

    system: str
    epochs: int
    batch_size: int
    optimizer: Literal["sgd", "adam", "liblinear"]  # liblinear solves the SVM, and nothing else
    learning_rate: float  # at its highest
    warmup_epochs: float = 0.0
    final_learning_rate_share: float = 0.0  # what the cosine ends at
    weight_decay: float = 0.0  # decoupled, convolution and dense kernels only
    label_smoothing: float = 0.0
    mixup: float = 0.0  # the beta distribution's parameter; 0 is off
    class_weights: bool = False  # inverse to the class counts of Training
    oversampling: bool = False  # draws each class as often as the others, with replacement
    cleaning: Literal["none", "drop", "relabel"] = "none"  # of what training.audit found
    ferplus_weight: float = 0.0  # weight of the second head's loss; 0 leaves the head out
    weight_average: float = 0.0  # momentum of the average that is judged in the end; 0 is off
    teachers: tuple[str, ...] = ()  # finished runs: their mean answer is learnt
    teacher_weight: float = 0.0  # against the labels' 1 - teacher_weight
    teacher_temperature: float = 1.0  # softens both answers before they are compared
    seed: int = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    architecture: dict[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)


class ConfigError(ValueError):
    """A config file does not hold one `config = TrainConfig(...)`."""


def load_config(path: Path) -> TrainConfig:
    """Run a config file and return its `config`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{path}: expected a Python file, as in training/configs")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = getattr(module, "config", None)
    if not isinstance(config, TrainConfig):
        raise ConfigError(f"{path}: expected `config = TrainConfig(...)`, found {config!r}")
    return config
