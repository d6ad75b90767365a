"""MobileNetV2 of width 1.0 (Sandler et al. 2018, arXiv 1801.04381), from `keras.applications`.

From scratch at 48x48, where its five halvings leave 2x2 pixels. Its three channels are copies of
the one, and 0..1 becomes the -1..1 that it is made for.
"""

import keras
from keras import layers


def build(dropout: float = 0.2, ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("MobileNetV2 has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = layers.Rescaling(2.0, offset=-1.0)(image)
    x = layers.Concatenate()([x, x, x])
    backbone = keras.applications.MobileNetV2(
        input_tensor=x, include_top=False, weights=None, pooling="avg"
    )
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # as in the other systems; Keras's .999 is for far longer runs
    x = layers.Dropout(dropout)(backbone.output)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="mobilenetv2")
