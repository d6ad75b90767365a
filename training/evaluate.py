"""Measure a released model: `python -m training.evaluate MODEL_DIR --data FER2013.npz`.

Runs the released ONNX file in ONNX Runtime over PublicTest, PrivateTest and the 7,178 images of
both (the paper's test set), prints every figure, and says whether they are those that the release
recorded in MODEL_DIR/metrics.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from training.dataset import Dataset, Split
from training.labels import EXPRESSIONS, FERPLUS_TO_EXPRESSION
from training.metrics import (
    Floats,
    balanced_accuracy,
    brier_score,
    confusion_matrix,
    fit_temperature,
    js_divergence,
    kl_divergence,
    majority_votes,
    negative_log_likelihood,
    reliability,
    softmax,
    vote_shares,
    wilson_interval,
)


def run_model(path: Path, images: NDArray[np.uint8], batch_size: int = 64) -> dict[str, Floats]:
    """uint8 [N, 48, 48] -> every output of an ONNX file, by name."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    steps = tqdm(
        range(0, len(images), batch_size), desc=path.name, unit="batch", leave=False, disable=None
    )
    batches = [session.run(names, {"image": images[i : i + batch_size]}) for i in steps]
    return {name: np.concatenate([b[k] for b in batches]) for k, name in enumerate(names)}


def score(logits: Floats, labels: NDArray[np.uint8], temperature: float) -> dict[str, Any]:
    """Every figure of one split."""
    probabilities = softmax(logits, temperature)
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, len(EXPRESSIONS))
    right, true, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    curve = reliability(probabilities, labels)
    recall = right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(true + said, 1)
    return {
        "images": len(labels),
        "accuracy": right.sum() / len(labels),
        "accuracy_interval_95": wilson_interval(int(right.sum()), len(labels)),
        "balanced_accuracy": balanced_accuracy(predicted, labels),
        "macro_f1": f1.mean(),
        "recall": dict(zip(EXPRESSIONS, recall, strict=True)),
        "confusion": matrix.tolist(),
        "nll": negative_log_likelihood(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece_15": curve.error,
        "reliability": {
            "counts": curve.counts.tolist(),
            "confidence": curve.confidence.tolist(),
            "accuracy": curve.accuracy.tolist(),
        },
    }


def vote_agreement(
    outputs: dict[str, Floats], votes: NDArray[np.uint8], temperatures: dict[str, float]
) -> dict[str, Any]:
    """How far each calibrated head is from what FER+'s raters said; images without votes are out.

    `ferplus` is compared over FER+'s eight expressions, `logits` over the seven that both data
    sets have, where an image whose raters all said contempt has no vote either.
    """
    columns = {"ferplus": np.arange(8), "logits": np.argsort(FERPLUS_TO_EXPRESSION)}
    figures = {}
    for head, temperature in temperatures.items():
        voted, shares = vote_shares(votes[:, columns[head]])
        said = softmax(outputs[head][voted], temperature)
        figures[head] = {
            "images": len(said),
            "temperature": temperature,
            "kl": kl_divergence(shares, said),
            "js": js_divergence(shares, said),
        }
    return figures


def first_of_its_kind(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """[N]: whether no earlier image has the same pixels (Training comes first)."""
    seen: set[bytes] = set()
    fresh = np.zeros(len(images), np.bool_)
    for number, image in enumerate(images):
        pixels = image.tobytes()
        fresh[number] = pixels not in seen
        seen.add(pixels)
    return fresh


def measure(path: Path, dataset: Dataset, temperature: float) -> dict[str, Any]:
    """All figures of one ONNX file, by split; JSON-ready, rounded to five places."""
    test = dataset.split(Split.TEST)
    outputs = run_model(path, test.images)
    flipped = run_model(path, test.images[:, :, ::-1])
    fresh = first_of_its_kind(dataset.images)[np.isin(dataset.splits, np.unique(test.splits))]
    everything = np.ones(len(test), np.bool_)
    public, private = test.splits == Split.PUBLIC_TEST, test.splits == Split.PRIVATE_TEST
    subsets = {
        "PublicTest": public,
        "PrivateTest": private,
        "PublicTest + PrivateTest": everything,
        "PrivateTest, de-duplicated": private & fresh,
    }
    temperatures = {"logits": temperature}
    voted_on = "ferplus" in outputs and test.votes.any()
    if voted_on and public.any():
        voted, shares = vote_shares(test.votes[public, :8])
        fitted = fit_temperature(outputs["ferplus"][public][voted], shares)
        temperatures["ferplus"] = round(fitted, 4)
    figures: dict[str, Any] = {}
    for name, subset in subsets.items():
        if not subset.any():
            continue
        logits, labels = outputs["logits"][subset], test.labels[subset]
        figures[name] = score(logits, labels, temperature)
        both = (softmax(logits) + softmax(flipped["logits"][subset])).argmax(axis=1)
        figures[name]["accuracy_with_flip"] = (both == labels).mean()
        if voted_on:
            counts, winner = majority_votes(test.votes[subset])
            said = outputs["ferplus"][subset].argmax(axis=1)
            figures[name]["ferplus_majority_images"] = int(counts.sum())
            figures[name]["ferplus_majority_accuracy"] = (said == winner)[counts].mean()
        if test.votes.any():
            chosen = {head: outputs[head][subset] for head in temperatures}
            figures[name]["vote_agreement"] = vote_agreement(
                chosen, test.votes[subset], temperatures
            )
    rounded: dict[str, Any] = json.loads(json.dumps(figures, default=float), parse_float=_rounded)
    return rounded


def _rounded(text: str) -> float:
    return round(float(text), 5)


def _measured(recorded: dict[str, Any], splits: dict[str, Any]) -> dict[str, Any]:
    """Of the recorded figures those that could be measured: without votes, none is about them."""
    return {
        name: {figure: recorded.get(name, {}).get(figure) for figure in found}
        for name, found in splits.items()
    }


def print_figures(splits: dict[str, Any]) -> None:
    for name, figures in splits.items():
        low, high = figures["accuracy_interval_95"]
        print(f"{name}: {figures['images']} images")
        print(
            f"  accuracy {figures['accuracy']:.2%} (95 %: {low:.2%} .. {high:.2%}), "
            f"with flip {figures['accuracy_with_flip']:.2%}, "
            f"balanced {figures['balanced_accuracy']:.2%}, macro F1 {figures['macro_f1']:.2%}"
        )
        print("  recall " + ", ".join(f"{k} {v:.2%}" for k, v in figures["recall"].items()))
        print("  NLL {nll:.4f}, Brier {brier:.4f}, ECE-15 {ece_15:.4f}".format(**figures))
        if "ferplus_majority_accuracy" in figures:
            print(
                f"  FER+ head, images with a majority: {figures['ferplus_majority_accuracy']:.2%} "
                f"of {figures['ferplus_majority_images']}"
            )
        for head, agreement in figures.get("vote_agreement", {}).items():
            print(
                f"  FER+'s votes and {head}: KL {agreement['kl']:.4f}, JS {agreement['js']:.4f} "
                f"nats on {agreement['images']} images at temperature {agreement['temperature']}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder of models/")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    arguments = parser.parse_args()
    config = json.loads((arguments.model / "config.json").read_text())
    recorded = json.loads((arguments.model / "metrics.json").read_text())["splits"]
    splits = measure(
        arguments.model / "model.onnx", Dataset.load(arguments.data), config["temperature"]
    )
    print_figures(splits)
    agrees = "equal" if _measured(recorded, splits) == splits else "NOT equal"
    print(f"These figures are {agrees} to those of {arguments.model / 'metrics.json'}.")


if __name__ == "__main__":
    main()
