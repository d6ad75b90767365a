"""Our own face detector: cells at strides 8 and 16, each of which may hold the middle of a face.

Plain dense convolutions again, 58 million MACs at 320 x 240. What counts on a CPU is not where the
MACs are but how the pixels get in: as bytes, a 3x3 stem of stride 2 cost more than all other layers
together, since each of its outputs gathers nine times three bytes. One 4x4 convolution of stride 4
gathers every byte once, and needs no padding, so that scaling the pixels is exact in its weights.

Large faces are seen at stride 16, where dilation widens the view to 250 pixels; what is learnt
there comes back to stride 8 as context (feature pyramid: Lin et al. 2017, arXiv 1612.03144), where
small faces are told from what looks like one.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

STRIDES = (8, 16)
NUMBERS = 15  # of a cell: logit, middle x and y, log of width and height, five points x and y
FIRST_SCORE = 0.01  # of any cell before it has learnt (focal loss: Lin et al. 2017, 1708.02002)


def build(
    widths: Sequence[int] = (32, 32, 48),
    dilations: Sequence[int] = (2, 4),
    height: int | None = None,
    width: int | None = None,
) -> keras.Model:
    """uint8 [N, H, W, 3] RGB, H and W multiples of 16 -> float32 [N, cells, 15].

    `widths` are the channels at strides 4, 8 and 16; each of `dilations` is a residual block at
    stride 16. The cells of stride 8 come first, then those of stride 16, each row by row.
    """
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = convolution(x, widths[0], kernel=4, strides=4)
    x = convolution(x, widths[1], strides=2)
    fine = residual(x, widths[1])
    x = convolution(fine, widths[2], strides=2)
    for dilation in dilations:
        x = residual(x, widths[2], dilation)
    context = convolution(x, widths[1], kernel=1, relu=False)
    context = layers.UpSampling2D(2)(context)
    fine = convolution(layers.ReLU()(layers.Add()([fine, context])), widths[1])
    cells = [head(level, stride) for level, stride in zip((fine, x), STRIDES, strict=True)]
    found = layers.Concatenate(axis=1, dtype="float32", name="cells")(cells)
    return keras.Model(image, found, name="face_detector")


def convolution(
    x: Any, filters: int, kernel: int = 3, strides: int = 1, dilation: int = 1, relu: bool = True
) -> Any:
    """A convolution with batch normalisation, as `training.detector_graph` can write it."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    x = layers.BatchNormalization(momentum=0.98, epsilon=1e-5)(x)
    return layers.ReLU()(x) if relu else x


def residual(x: Any, filters: int, dilation: int = 1) -> Any:
    """What is added to the input is one more convolution of it."""
    y = convolution(x, filters, relu=False, dilation=dilation)
    return layers.ReLU()(layers.Add()([x, y]))


def head(x: Any, stride: int) -> Any:
    """What each cell says, in float32: a byte cannot hold a place to a tenth of a cell."""
    bias = np.zeros(NUMBERS, np.float32)
    bias[0] = np.log(FIRST_SCORE / (1 - FIRST_SCORE))
    layer = layers.Conv2D(
        NUMBERS,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        dtype="float32",
        name=f"head_{stride}",
    )
    return layers.Reshape((-1, NUMBERS), dtype="float32")(layer(x))
