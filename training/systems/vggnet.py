"""VGGNet as Khaireddin & Chen trained it on FER-2013 (2021, arXiv 2105.03588): 73.28 %.

Four stages of two 3x3 convolutions, then two dense layers of 4096. The network sees 40x40 pixels:
here it cuts them out of the middle of the 48x48 face itself, so that it takes what every other
system takes; `training.tencrop` moves the face underneath to make its ten crops.
"""

from typing import Any

import keras
from keras import layers

MARGIN = 4  # pixels on each side that the crop leaves out


def _stage(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.ReLU()(x)
    return layers.MaxPooling2D(2)(x)


def build(dropout: float = 0.2, ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("VGGNet has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = layers.Cropping2D(MARGIN)(image)
    for filters in (64, 128, 256, 512):
        x = _stage(x, filters)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(4096)(x)
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="vggnet")
