"""mien's own network: a small residual network of plain 3x3 convolutions (He et al. 2016).

Dense convolutions run near a CPU's peak where depthwise ones wait for memory, so a network of a
given latency has more of everything this way. The stem is one 6x6 convolution of stride 2: it sees
every pixel, as a stride-1 layer would, at a fraction of the cost of working at 48x48.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers


def _convolution(x: Any, filters: int, kernel: int = 3, strides: int = 1, relu: bool = True) -> Any:
    x = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x) if relu else x


def _residual_block(x: Any, filters: int, strides: int) -> Any:
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = _convolution(x, filters, kernel=1, strides=strides, relu=False)
    x = _convolution(x, filters, strides=strides)
    x = _convolution(x, filters, relu=False)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def build(
    widths: Sequence[int] = (48, 96, 160),
    depths: Sequence[int] = (1, 1, 1),
    dropout: float = 0.2,
    ferplus: bool = True,
) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7], "ferplus": [N, 8] where asked for}.

    Stage i has `depths[i]` residual blocks of `widths[i]` channels, at 24x24, 12x12, 6x6 pixels.
    """
    image = keras.Input((48, 48, 1), name="image")
    x = _convolution(image, widths[0], kernel=6, strides=2)
    for stage, (filters, depth) in enumerate(zip(widths, depths, strict=True)):
        for block in range(depth):
            x = _residual_block(x, filters, strides=2 if stage and block == 0 else 1)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout)(x)
    outputs = {"logits": layers.Dense(7, dtype="float32", name="logits")(x)}
    if ferplus:
        outputs["ferplus"] = layers.Dense(8, dtype="float32", name="ferplus")(x)
    return keras.Model(image, outputs, name="mien")
