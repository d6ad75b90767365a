"""The networks, one a file. Each file's `build(**architecture)` returns a Keras model from float32
[N, 48, 48, 1] in 0..1 to a dictionary of logits: "logits" [N, 7], and "ferplus" [N, 8] where the
run has a second head. `face_detector` and `face_refiner` are of another kind, and tell of
themselves.
"""

import importlib

import keras
import numpy as np
from keras import layers

from training.config import TrainConfig


def build_system(config: TrainConfig) -> keras.Model:
    """The network that a config names."""
    module = importlib.import_module(f"training.systems.{config.system}")
    model: keras.Model = module.build(**config.architecture, ferplus=config.ferplus_weight > 0)
    return model


def count_macs(model: keras.Model) -> int:
    """Multiply-accumulates of one forward pass, convolutions and dense layers."""
    macs = 0
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
            macs += int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:3]))
        elif isinstance(layer, layers.Dense):
            macs += int(np.prod(layer.kernel.shape))
    return macs
