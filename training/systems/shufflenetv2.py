"""ShuffleNetV2 of width 1.0 (Ma et al. 2018, arXiv 1807.11164), from scratch at 48x48.

Each unit works on half of the channels, and the shuffle afterwards lets the halves meet. Layers and
strides are those of the paper's table 5, so that five halvings leave 2x2 pixels of a face.
"""

from typing import Any

import keras
from keras import layers, ops

# Channels and units of stages 2, 3 and 4.
STAGES = ((116, 4), (232, 8), (464, 4))


def _convolution(x: Any, filters: int, kernel: int = 1, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x)


def _depthwise(x: Any, strides: int = 1) -> Any:
    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def shuffle(x: Any) -> Any:
    """[N, H, W, C]: the channels of the first and the second half, taken in turn."""
    height, width, channels = x.shape[1:]
    x = ops.reshape(x, (-1, height, width, 2, channels // 2))
    return ops.reshape(ops.swapaxes(x, 3, 4), (-1, height, width, channels))


def _unit(x: Any, filters: int) -> Any:
    half = filters // 2
    kept, worked = ops.split(x, 2, axis=-1)
    worked = _convolution(_depthwise(_convolution(worked, half)), half)
    return shuffle(layers.Concatenate()([kept, worked]))


def _halving_unit(x: Any, filters: int) -> Any:
    half = filters // 2
    beside = _convolution(_depthwise(x, strides=2), half)
    worked = _convolution(_depthwise(_convolution(x, half), strides=2), half)
    return shuffle(layers.Concatenate()([beside, worked]))


def build(ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("ShuffleNetV2 has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = layers.Concatenate()([image, image, image])
    x = _convolution(x, 24, kernel=3, strides=2)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for filters, units in STAGES:
        x = _halving_unit(x, filters)
        for _ in range(units - 1):
            x = _unit(x, filters)
    x = _convolution(x, 1024)
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="shufflenetv2")
