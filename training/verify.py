"""Is the ONNX file the trained network? `python -m training.verify MODEL --run RUN --data F`.

Compares Keras and ONNX Runtime on varied real images, and makes sure that the comparison could have
failed: a copy of the graph with one convolution's weights changed by 1 % must be seen to differ.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.explain import MAPS, gradient_maps
from training.labels import EXPRESSIONS
from training.prior import adjust, log_shares
from training.release import perturbed
from training.train import load_network

TOLERANCE = 1e-4  # on logits, whose spread is about 10


class VerificationError(AssertionError):
    """The released graph does not compute what the trained network computes."""


def largest_difference(
    network: keras.Model, path: Path, images: NDArray[np.uint8]
) -> dict[str, float]:
    """The largest difference between Keras and ONNX Runtime, by output.

    `maps`, which Keras has not, are compared with Grad-CAM from TensorFlow's own gradients.
    """
    expected = network.predict(images, batch_size=64, verbose=0)
    found = run_model(path, images)
    if MAPS in found:
        expected[MAPS] = gradient_maps(network, images)
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in found}


def verify(network: keras.Model, path: Path, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What was compared and found; raises `VerificationError` unless it all holds."""
    differences = largest_difference(network, path, images)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "perturbed.onnx"
        onnx.save(perturbed(onnx.load(path)), other)
        control = largest_difference(network, other, images)
    for name, difference in differences.items():
        if not difference <= TOLERANCE:
            raise VerificationError(
                f"{path}, output {name}: expected Keras and ONNX Runtime to agree within "
                f"{TOLERANCE}, found a difference of {difference:.2e}"
            )
        if not control[name] > TOLERANCE:
            raise VerificationError(
                f"{path}, output {name}: expected a weight changed by 1 % to show, found a "
                f"difference of {control[name]:.2e}; these images cannot tell graphs apart"
            )
    return {
        "images": len(images),
        "tolerance": TOLERANCE,
        "largest_difference": differences,
        "largest_difference_with_one_weight_1_percent_off": control,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.verify", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder of models/")
    parser.add_argument("--run", type=Path, required=True, help="the folder training.train wrote")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    arguments = parser.parse_args()
    dataset, network = Dataset.load(arguments.data), load_network(arguments.run)
    # What a release adds to the trained network.
    adjustment = json.loads((arguments.model / "metrics.json").read_text())["adjustment"]
    logs = log_shares(dataset.split(Split.TRAINING).labels, len(EXPRESSIONS))
    adjust(network, adjustment["strength"] * logs)
    images = dataset.split(Split.PUBLIC_TEST).images[::7]
    print(verify(network, arguments.model / "model.onnx", images))


if __name__ == "__main__":
    main()
