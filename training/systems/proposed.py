"""The network of the paper that mien reproduces, as its section 4.1 describes it.

Four 3x3 convolutions of 32, 64, 128 and 256 filters, batch normalisation after each, 2x2 pooling
and dropout after every second one, a dense layer of 256, seven classes. Its pseudo-RGB input (three
equal channels) is made here, since it is part of the network and not of the data.
"""

import keras
from keras import layers


def build(dropout: float = 0.25, ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("the paper's network has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = layers.Concatenate()([image, image, image])
    for number, filters in enumerate((32, 64, 128, 256), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        if number % 2 == 0:
            x = layers.MaxPooling2D(2)(x)
            x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="proposed")
