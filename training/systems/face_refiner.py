"""The second look of our face detector: one crop, one cell, is it a face and where exactly.

The first network proposes more than there is, as cheaply as it can; this one sees each proposal at
one size, cut from the photo itself, and has the last word (cascades: Viola & Jones 2001; MTCNN:
Zhang et al. 2016, arXiv 1604.02878). Its answer is a cell as the first
one's are, of a stride that covers the crop.
"""

from collections.abc import Sequence

import keras
from keras import layers

from training.systems.face_detector import convolution, head, residual

SIDE = 64  # pixels of a crop


def build(widths: Sequence[int] = (16, 32, 64, 96)) -> keras.Model:
    """uint8 [N, 64, 64, 3] RGB -> float32 [N, 1, 15].

    `widths` are the channels at strides 2, 4, 8 and 16.
    """
    image = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="image")
    x = convolution(layers.Rescaling(1 / 255)(image), widths[0], strides=2)
    for width in widths[1:]:
        x = residual(convolution(x, width, strides=2), width)
    # A weight of its own for every place: what a face is made of lies where it lies.
    x = convolution(x, 2 * widths[-1], kernel=4, strides=4)
    return keras.Model(image, head(x, SIDE), name="face_refiner")
