"""A plain five-layer CNN, for the paper's "CNN" (Quinn, Sivesind & Reis 2017): 66.67 %.

Their report does not give the layers. This is the five-layer network that Khanzada, Bai &
Celepcikay describe for the same data set (2020, arXiv 2004.11823): convolutions of 5x5, 4x4 and 5x5
pixels, each with batch normalisation and a 3x3 pooling of stride 2, then two dense layers. The
choice of that network is ours; its score says what a CNN of that class reaches, not what Quinn et
al. had.
"""

import keras
from keras import layers


def build(dropout: float = 0.3, ferplus: bool = False) -> keras.Model:
    """float32 [N, 48, 48, 1] in 0..1 -> {"logits": [N, 7]}."""
    if ferplus:
        raise ValueError("the five-layer CNN has one head: expected ferplus_weight = 0")
    image = keras.Input((48, 48, 1), name="image")
    x = image
    for filters, kernel in ((32, 5), (32, 4), (64, 5)):
        x = layers.Conv2D(filters, kernel, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(7, dtype="float32", name="logits")(x)
    return keras.Model(image, {"logits": logits}, name="cnn")
