"""Logit adjustment: rare expressions are not overruled for being rare.

A network trained on FER-2013 learns that "disgust" is 1.5 % of it, and says it too seldom: on the
photos of whoever uses it that share means nothing. Menon et al. 2021 (arXiv 2007.07314, section 3)
subtract strength * log(share of the class in Training) from the logits; strength 1 serves the
balanced accuracy alone. It goes into the last layer's bias, so it costs nothing.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.metrics import Floats, Labels, balanced_accuracy

STRENGTHS = np.arange(0, 1.01, 0.05)


def log_shares(labels: NDArray[np.uint8], classes: int) -> Floats:
    """[classes]: log of each class's share of the labels."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    logs: Floats = np.log(counts / counts.sum()).astype(np.float32)
    return logs


def choose_strength(logits: Floats, labels: Labels, logs: Floats) -> dict[str, Any]:
    """The strength of best balanced accuracy among those that lose no accuracy on these images."""
    rows = []
    for strength in STRENGTHS:
        predicted = (logits - strength * logs).argmax(axis=1)
        accuracy = float((predicted == labels).mean())
        rows.append((balanced_accuracy(predicted, labels), accuracy, round(float(strength), 2)))
    free = [row for row in rows if row[1] >= rows[0][1]]
    # The weakest of equals: max() keeps the first one.
    balanced, accuracy, strength = max(free, key=lambda row: row[0])
    return {
        "strength": strength,
        "accuracy": [round(rows[0][1], 5), round(accuracy, 5)],
        "balanced_accuracy": [round(rows[0][0], 5), round(balanced, 5)],
    }


def adjust(network: keras.Model, shift: Floats) -> None:
    """Subtract `shift` [classes] from the logits that `network` gives, in its last layer's bias."""
    bias = network.layers[-1].get_layer("logits").bias
    bias.assign(bias - shift)
