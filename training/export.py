"""Release a run: `python -m training.export RUN --data FER2013.npz --out models/expression-X.Y.Z`.

Keras -> ONNX, checked against Keras, with everything the service needs beside it: the one command
of a release. The graph takes uint8 crops and holds its own normalisation; logit adjustment and
temperature are fitted on PublicTest; the int8 graph and the robustness figures come from
training.quantize and training.robustness.

Without --out the graph and its metrics.json go to RUN/model: enough for `training.report`, and
meant for networks that no service is to load, such as the paper's.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from training.card import write_card
from training.dataset import Dataset, Split
from training.evaluate import measure, print_figures, run_model
from training.explain import MAPS, add_maps
from training.figures import plot_reliability, plot_robustness
from training.labels import EXPRESSIONS
from training.metrics import confidence_for_precision, fit_temperature, softmax
from training.prior import adjust, choose_strength, log_shares
from training.quantize import INT8_NEEDS, quantize
from training.release import training_record, write_config, write_json
from training.robustness import measure_robustness
from training.run import read_config
from training.tencrop import ten_crop_logits
from training.train import load_network
from training.verify import verify

OPSET = 17
PRECISION = 0.9  # an answer is "uncertain" below the confidence from which on 90 % are right
PHOTO = Path(__file__).parent.parent / "tests" / "data" / "astronaut.jpg"
PHOTO_FACE = (166, 56, 286, 176)  # left, top, right, bottom


def write_onnx(network: keras.Model, path: Path, *, maps: bool = True) -> None:
    """Write uint8 [N, 48, 48] -> logits as ONNX, batch dynamic, outputs named as in Keras.

    One more output, `maps`, tells where in the image each logit comes from (training.explain), for
    the networks that can have it. The Keras backend must be TensorFlow: tf2onnx reads a TensorFlow
    graph.
    """
    # Both are slow to import, and only this function needs them.
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, 48, 48), tf.uint8, name="image")]
    graph, _ = tf2onnx.convert.from_keras(network, input_signature=signature, opset=OPSET)
    _name_outputs(graph, list(network.output))
    if maps:
        add_maps(graph)
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    for output in graph.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)


def golden_images() -> NDArray[np.uint8]:
    """uint8 [16, 48, 48]: varied crops of a public-domain photo; no face of the data set."""
    gray = Image.open(PHOTO).convert("L")
    left, top, right, bottom = PHOTO_FACE
    images = []
    for number in range(16):
        random = np.random.default_rng(number)
        dx, dy, grow = random.uniform(-12, 12, 3)
        box = (left + dx - grow, top + dy - grow, right + dx + grow, bottom + dy + grow)
        face = gray.resize((48, 48), Image.Resampling.BILINEAR, box=box)
        pixels = np.asarray(face, np.float64) / 255
        pixels = pixels ** random.uniform(0.4, 2.5) + random.normal(0, 0.02, pixels.shape)
        pixels = pixels[:, ::-1] if number % 2 else pixels
        images.append((pixels.clip(0, 1) * 255).round().astype(np.uint8))
    return np.stack(images)


def _name_outputs(graph: onnx.ModelProto, names: list[str]) -> None:
    """tf2onnx numbers a dictionary's outputs; give each the key it has in Keras.

    TensorFlow flattens dictionaries in the order of their sorted keys.
    """
    for output, name in zip(graph.graph.output, sorted(names), strict=True):
        for node in graph.graph.node:
            node.output[:] = [name if o == output.name else o for o in node.output]
            node.input[:] = [name if i == output.name else i for i in node.input]
        output.name = name
    in_order = sorted(graph.graph.output, key=lambda output: names.index(output.name))
    del graph.graph.output[:]
    graph.graph.output.extend(in_order)


def release(run: Path, dataset: Dataset, out: Path) -> None:
    """Write every file of a model directory, or raise and leave no config.json."""
    config, network = read_config(run), load_network(run)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").unlink(missing_ok=True)
    public = dataset.split(Split.PUBLIC_TEST)
    logits = network.predict(public.images, batch_size=256, verbose=0)["logits"]
    logs = log_shares(dataset.split(Split.TRAINING).labels, len(EXPRESSIONS))
    adjustment = choose_strength(logits, public.labels, logs)
    adjust(network, adjustment["strength"] * logs)
    graph = out / "model.onnx"
    write_onnx(network, graph)

    parity = verify(network, graph, public.images[::7])
    logits = run_model(graph, public.images)["logits"]
    temperature = round(fit_temperature(logits, public.labels), 4)
    probabilities = softmax(logits, temperature)
    uncertain_below = round(confidence_for_precision(probabilities, public.labels, PRECISION), 3)

    images = golden_images()
    golden: dict[str, Any] = {"image": images, **run_model(graph, images)}
    np.savez_compressed(out / "golden.npz", **golden)
    splits = measure(graph, dataset, temperature)
    print_figures(splits)
    metrics = {
        "splits": splits,
        "adjustment": {**adjustment, "split": "PublicTest"},
        "int8": quantize(out, dataset),
        "robustness": measure_robustness(graph, dataset),
        "training": training_record(run, config, network),
        "verification": parity,
    }
    write_json(out / "metrics.json", metrics)
    plot_reliability(splits, out / "reliability.svg")
    plot_robustness(metrics["robustness"], out / "robustness.svg")
    write_config(
        out,
        {
            "labels": EXPRESSIONS,
            "input": {
                "name": "image",
                "layout": "NHW",
                "dtype": "uint8",
                "size": [48, 48],
                "multiple_of": 1,
                "range": [0, 255],
                "colour": "gray",
            },
            "outputs": [*network.output, MAPS],
            "temperature": temperature,
            "uncertain_below": uncertain_below,
            "opset": OPSET,
            "detection": None,
            "int8_needs": INT8_NEEDS,
            "command": f"python -m training.export runs/{run.name} --data FER2013.npz "
            f"--out models/{out.name}",
        },
    )
    write_card(out)


def compare(run: Path, dataset: Dataset, out: Path) -> None:
    """Write model.onnx, checked, and metrics.json: a network to be compared and not served."""
    config, network = read_config(run), load_network(run)
    out.mkdir(parents=True, exist_ok=True)
    graph = out / "model.onnx"
    write_onnx(network, graph, maps=False)

    public, test = dataset.split(Split.PUBLIC_TEST), dataset.split(Split.TEST)
    parity = verify(network, graph, public.images[::7])
    logits = run_model(graph, public.images)["logits"]
    temperature = round(fit_temperature(logits, public.labels), 4)
    splits = measure(graph, dataset, temperature)
    print_figures(splits)
    metrics: dict[str, Any] = {
        "splits": splits,
        "temperature": temperature,
        "training": training_record(run, config, network),
        "verification": parity,
    }
    if config.system == "vggnet":
        right = ten_crop_logits(graph, test.images).argmax(axis=1) == test.labels
        metrics["ten_crop_accuracy"] = {
            Split(split).usage: round(float(right[test.splits == split].mean()), 5)
            for split in np.unique(test.splits)
        }
    write_json(out / "metrics.json", metrics)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("run", type=Path, help="the folder that training.train wrote")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--out", type=Path, help="models/<name>-<version>, for a release")
    arguments = parser.parse_args()
    dataset = Dataset.load(arguments.data)
    if arguments.out:
        release(arguments.run, dataset, arguments.out)
        print(f"released {arguments.out}", file=sys.stderr)
    else:
        compare(arguments.run, dataset, arguments.run / "model")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
