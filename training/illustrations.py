"""The report's figures that show faces of the data set: written for people, never published."""

from pathlib import Path

import numpy as np

from training.augment import Augment
from training.config import Augmentation
from training.dataset import Dataset, Split
from training.deployment import Answer
from training.evaluate import run_model
from training.labels import EXPRESSIONS
from training.pictures import draw_faces

SEEN_IN_MAPS = ("happy", "fear", "angry")  # those of the paper's figure 11


def draw_samples(dataset: Dataset, path: Path, each: int = 8) -> None:
    """Figure 3: images of each class, one class a line."""
    random = np.random.default_rng(0)
    chosen, captions = [], []
    for label, name in enumerate(EXPRESSIONS):
        own = np.flatnonzero(dataset.labels == label)
        chosen += random.choice(own, each, replace=len(own) < each).tolist()
        captions += [name] * each
    draw_faces(dataset.images[chosen], captions, path, columns=each)


def draw_augmentations(
    dataset: Dataset, augmentation: Augmentation, path: Path, each: int = 7
) -> None:
    """Figure 6: one image of each class, as it is and as training may see it."""
    layer = Augment(augmentation, seed=0)
    images, captions = [], []
    for label, name in enumerate(EXPRESSIONS):
        image = dataset.images[np.flatnonzero(dataset.labels == label)[0]]
        batch = np.repeat(image[None, :, :, None].astype(np.float32) / 255, each, axis=0)
        changed = np.asarray(layer(batch, training=True))[..., 0] * 255
        images += [image, *changed.round().astype(np.uint8)]
        captions += [name, *["changed"] * each]
    draw_faces(np.stack(images), captions, path, columns=each + 1)


def draw_maps(release: Path, dataset: Dataset, path: Path, each: int = 4) -> None:
    """Figure 11: where the released network saw an expression, in its surest right answers."""
    test = dataset.split(Split.TEST)
    outputs = run_model(release / "model.onnx", test.images)
    logits, maps = outputs["logits"], outputs["maps"]
    right = logits.argmax(axis=1) == test.labels
    chosen: list[int] = []
    for name in SEEN_IN_MAPS:
        label = EXPRESSIONS.index(name)
        own = np.flatnonzero(right & (test.labels == label))
        chosen += own[np.argsort(-logits[own, label])][:each].tolist()
    labels = test.labels[chosen]
    draw_faces(
        test.images[chosen],
        [EXPRESSIONS[label] for label in labels],
        path,
        columns=each,
        heat=maps[chosen, labels],
    )


def draw_deployment(dataset: Dataset, answers: list[Answer], path: Path) -> None:
    """Figure 12: one image of each class, with what the running service answered."""
    captions = [f"{a.label}\nsaid {a.said} {a.confidence:.2f}" for a in answers]
    draw_faces(dataset.images[[a.index for a in answers]], captions, path, columns=7)
