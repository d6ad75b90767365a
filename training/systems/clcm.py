"""A lightweight CNN made from MobileNetV2, for CLCM (Gursesli et al., IEEE Access 2024): 63 %.

Known of CLCM is that it derives from MobileNetV2 and has 2.3 million parameters. MobileNetV2's own
table of blocks with seven classes has 2.27 million, so this network keeps that table. Ours is the
change for faces of 48 pixels: the stem doesn't halve the picture, so that every block sees twice
the resolution, and 3x3 pixels are left at the end. The input is gray.
"""

from typing import Any

import keras
from keras import layers

# Expansion, channels, blocks, stride of the first: table 2 of Sandler et al. 2018.
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _norm(x: Any, relu: bool = True) -> Any:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    return layers.ReLU(max_value=6.0)(x) if relu else x


def _inverted_residual(x: Any, expansion: int, filters: int, strides: int) -> Any:
    """Widen, filter each channel by itself, narrow; the last without an activation."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = _norm(layers.Conv2D(expansion * channels, 1, use_bias=False)(x))
    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    x = _norm(x)
    x = _norm(layers.Conv2D(filters, 1, use_bias=False)(x), relu=False)
    return layers.Add()([x, shortcut]) if strides == 1 and channels == filters else x


def build(dropout: float = 0.2, ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("CLCM has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = _norm(layers.Conv2D(32, 3, padding="same", use_bias=False)(image))
    for expansion, filters, count, strides in BLOCKS:
        for number in range(count):
            x = _inverted_residual(x, expansion, filters, strides if number == 0 else 1)
    x = _norm(layers.Conv2D(1280, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="clcm")
