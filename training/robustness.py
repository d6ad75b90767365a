"""How well a release bears bad pictures: `python -m training.robustness MODEL_DIR --data F`.

Accuracy on PublicTest (PrivateTest stays untouched) under ten corruptions at five severities, in
the manner of Hendrycks & Dietterich 2019 (arXiv 1903.12261) but with strengths made for 48x48
pixels, and when the crop is shifted or scaled by up to 20 %. Every draw is seeded: an image gets
the same noise, angle or place at each severity, and the same again in the next run.
"""

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.card import write_card
from training.dataset import Dataset, Split
from training.evaluate import run_model
from training.figures import plot_robustness
from training.release import amend

Pixels = NDArray[np.uint8]  # [48, 48]
Random = np.random.Generator
SIDE = 48
SHIFTS = (0.05, 0.1, 0.15, 0.2)  # of the crop's side
SCALES = (0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2)


def gaussian_noise(image: Pixels, deviation: float, random: Random) -> Pixels:
    """A sensor's own noise: normal, of this standard deviation in units of the full range."""
    return _bytes(image / 255 + random.normal(0, 1, image.shape) * deviation)


def shot_noise(image: Pixels, photons: float, random: Random) -> Pixels:
    """Too little light: each pixel counts photons, this many at white, by a Poisson law."""
    return _bytes(random.poisson(image / 255 * photons) / photons)


def gaussian_blur(image: Pixels, radius: float, random: Random) -> Pixels:
    """Out of focus: Pillow's Gaussian blur, its standard deviation in pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def motion_blur(image: Pixels, length: float, random: Random) -> Pixels:
    """A moving head or hand: the mean along a line of this many pixels, in any direction."""
    angle, steps = random.uniform(0, np.pi), np.linspace(-length / 2, length / 2, 9)
    moved = [_crop(image, s * np.cos(angle) / SIDE, s * np.sin(angle) / SIDE) for s in steps]
    return _bytes(np.mean(moved, axis=0) / 255)


def low_resolution(image: Pixels, side: float, random: Random) -> Pixels:
    """A small face in the photo: down to this many pixels (box filter) and up again (bilinear)."""
    small = Image.fromarray(image).resize((int(side), int(side)), Image.Resampling.BOX)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def jpeg(image: Pixels, quality: float, random: Random) -> Pixels:
    """Stored as JPEG of this quality, by Pillow."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file))


def brightness(image: Pixels, amount: float, random: Random) -> Pixels:
    """Exposed too long or too briefly: this much of the full range, up or down at random."""
    return _bytes(image / 255 + random.choice((-1, 1)) * amount)


def contrast(image: Pixels, factor: float, random: Random) -> Pixels:
    """Fog or flat light: differences from the image's mean are multiplied by this factor."""
    return _bytes((image / 255 - image.mean() / 255) * factor + image.mean() / 255)


def low_light(image: Pixels, gamma: float, random: Random) -> Pixels:
    """Dusk: the values raised to this power, in the eight bits that are left."""
    return _bytes((image / 255) ** gamma)


def occlusion(image: Pixels, share: float, random: Random) -> Pixels:
    """A hand or a mask: a square of one gray, this share of the area, anywhere inside."""
    side = int(np.sqrt(share) * SIDE)
    top, left = (random.uniform(0, 1, 2) * (SIDE - side + 1)).astype(int)
    covered = image.copy()
    covered[top : top + side, left : left + side] = random.integers(0, 256)
    return covered


@dataclass(frozen=True)
class Corruption:
    """What changes an image, and how strongly at severities 1 to 5."""

    change: Callable[[Pixels, float, Random], Pixels]
    strengths: tuple[float, float, float, float, float]


CORRUPTIONS = {
    corruption.change.__name__: corruption
    for corruption in (
        Corruption(gaussian_noise, (0.03, 0.06, 0.1, 0.15, 0.2)),
        Corruption(shot_noise, (200, 80, 40, 20, 10)),
        Corruption(gaussian_blur, (0.6, 1.0, 1.4, 1.9, 2.5)),
        Corruption(motion_blur, (3, 5, 7, 9, 12)),
        Corruption(low_resolution, (32, 24, 18, 14, 11)),
        Corruption(jpeg, (50, 30, 18, 10, 5)),
        Corruption(brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
        Corruption(contrast, (0.7, 0.5, 0.35, 0.2, 0.1)),
        Corruption(low_light, (1.4, 1.8, 2.4, 3.2, 4.5)),
        Corruption(occlusion, (0.05, 0.1, 0.2, 0.3, 0.4)),
    )
}


def corrupted(images: Pixels, name: str, severity: int) -> Pixels:
    """[N, 48, 48] under one corruption at severity 1 to 5."""
    change, strength = CORRUPTIONS[name].change, CORRUPTIONS[name].strengths[severity - 1]
    kind = list(CORRUPTIONS).index(name)
    randoms = (np.random.default_rng((kind, number)) for number in range(len(images)))
    return np.stack(
        [change(image, strength, random) for image, random in zip(images, randoms, strict=True)]
    )


def shifted(images: Pixels, share: float) -> Pixels:
    """Each crop taken off centre, by this share of its side, in a direction of its own."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, len(images))
    return np.stack(
        [
            _crop(image, share * np.cos(angle), share * np.sin(angle))
            for image, angle in zip(images, angles, strict=True)
        ]
    )


def scaled(images: Pixels, factor: float) -> Pixels:
    """Each crop taken larger (the face becomes smaller) or smaller by this factor."""
    return np.stack([_crop(image, scale=factor) for image in images])


def measure_robustness(graph: Path, dataset: Dataset) -> dict[str, Any]:
    """Accuracy on PublicTest under everything above; JSON-ready, rounded to five places."""
    public = dataset.split(Split.PUBLIC_TEST)

    def accuracy(images: Pixels) -> float:
        said = run_model(graph, images)["logits"].argmax(axis=1)
        return round(float((said == public.labels).mean()), 5)

    corruptions = {
        name: {str(s): accuracy(corrupted(public.images, name, s)) for s in range(1, 6)}
        for name in CORRUPTIONS
    }
    every = [value for by_severity in corruptions.values() for value in by_severity.values()]
    return {
        "split": Split.PUBLIC_TEST.usage,
        "images": len(public),
        "clean": accuracy(public.images),
        "mean_under_corruption": round(float(np.mean(every)), 5),
        "corruptions": corruptions,
        "shift": {str(s): accuracy(shifted(public.images, s)) for s in SHIFTS},
        "scale": {str(s): accuracy(scaled(public.images, s)) for s in SCALES},
    }


def _crop(image: Pixels, right: float = 0, down: float = 0, scale: float = 1) -> Pixels:
    """The image's own frame moved by shares of its side and scaled about its centre.

    Outside the image its edge goes on, and resampling is Pillow's, as in the service.
    """
    margin = SIDE // 2
    around = Image.fromarray(np.pad(image, margin, mode="edge"))
    half, centre = SIDE / 2 * scale, margin + SIDE / 2
    x, y = centre + right * SIDE, centre + down * SIDE
    box = (x - half, y - half, x + half, y + half)
    return np.asarray(around.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box))


def _bytes(values: NDArray[np.float64]) -> Pixels:
    return np.asarray((values.clip(0, 1) * 255).round(), np.uint8)


def print_figures(figures: dict[str, Any]) -> None:
    print(f"{figures['split']}, {figures['images']} images: clean {figures['clean']:.2%}, ", end="")
    print(f"mean under corruption {figures['mean_under_corruption']:.2%}")
    for name, accuracies in (
        *figures["corruptions"].items(),
        *((name, figures[name]) for name in ("shift", "scale")),
    ):
        row = "  ".join(f"{key}: {value:.2%}" for key, value in accuracies.items())
        print(f"  {name:<15} {row}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.robustness", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder of models/")
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument(
        "--smoke", action="store_true", help="5 %% of the images; prints and writes nothing"
    )
    arguments = parser.parse_args()
    graph, dataset = arguments.model / "model.onnx", Dataset.load(arguments.data)
    if arguments.smoke:
        dataset = dataset.take(np.arange(0, len(dataset), 20))
    figures = measure_robustness(graph, dataset)
    print_figures(figures)
    if not arguments.smoke:
        plot_robustness(figures, arguments.model / "robustness.svg")
        amend(arguments.model, {"robustness": figures})
        write_card(arguments.model)


if __name__ == "__main__":
    main()
