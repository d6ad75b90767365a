"""A data set small enough to train on in seconds: seven patterns instead of seven expressions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.cascade import FAINTEST, judge
from training.cells import NMS_IOU
from training.config import Augmentation, TrainConfig
from training.dataset import Dataset, Split
from training.export import compare, write_onnx
from training.found import Floats, Found, strongest
from training.photos import Pixels
from training.textures import texture
from training.train import load_network, train

PORTRAIT = Path(__file__).parents[1] / "data" / "astronaut.jpg"


def make_dataset(per_class: int = 24, seed: int = 0) -> Dataset:
    """Class k is a grating of direction k in noise; a third of the rows in each split."""
    random = np.random.default_rng(seed)
    count = 7 * per_class
    labels = np.arange(count, dtype=np.uint8) % 7
    y, x = np.mgrid[:48, :48]
    angles = labels[:, None, None] * np.pi / 7
    waves = np.sin(0.6 * (np.cos(angles) * x + np.sin(angles) * y))
    images = (waves * 80 + 128 + random.normal(0, 25, waves.shape)).clip(0, 255).astype(np.uint8)
    votes = np.zeros((count, 10), np.uint8)
    votes[np.arange(count), np.array([4, 5, 6, 1, 3, 2, 0])[labels]] = 10
    return Dataset(
        images=images,
        labels=labels,
        splits=(np.arange(count) // 7 % 3).astype(np.uint8),
        rows=np.arange(count, dtype=np.int32),
        votes=votes,
        leaking=np.zeros(count, np.bool_),
    )


SMALL = TrainConfig(
    system="mien",
    architecture={"widths": (8, 8, 16)},
    epochs=2,
    batch_size=8,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-4,
    ferplus_weight=0.5,
    augmentation=Augmentation(shift=0.05),
)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    made = make_dataset()
    assert set(np.unique(made.splits)) == {Split.TRAINING, Split.PUBLIC_TEST, Split.PRIVATE_TEST}
    return made


@pytest.fixture(scope="session")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder: Path = tmp_path_factory.mktemp("runs") / "small"
    train(SMALL, dataset, folder)
    return folder


@pytest.fixture(scope="session")
def compared(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """runs/paper_proposed/model and release/, as export writes them; both are the small network."""
    folder: Path = tmp_path_factory.mktemp("compared")
    for name in ("runs/paper_proposed/model", "release"):
        compare(run, dataset, folder / name)
    write_onnx(load_network(run), folder / "release" / "model.onnx")
    (folder / "release" / "config.json").write_text('{"outputs": ["logits", "ferplus", "maps"]}')
    return folder


@pytest.fixture(scope="session")
def photos_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos made up from one public-domain portrait, on grounds of their own, and without it."""
    folder: Path = tmp_path_factory.mktemp("photos")
    portrait = Image.open(PORTRAIT).convert("RGB").crop((130, 10, 330, 230))
    for number in range(16):
        random = np.random.default_rng(number)
        photo = Image.fromarray(texture((240, 320), random))
        if number % 4:
            height = int(random.integers(90, 200))
            head = portrait.resize((height * 10 // 11, height))
            photo.paste(head, (int(random.integers(0, 130)), int(random.integers(0, 40))))
        # The corners hold black and white, as photos do somewhere.
        photo.paste("white", (300, 0, 320, 20))
        photo.paste("black", (300, 220, 320, 240))
        photo.save(folder / f"photo_{number:02}.jpg", quality=95)
    return folder


def refine(graph: bytes, photo: Pixels, boxes: Floats, threshold: float = FAINTEST) -> Found:
    """What the second look alone finds in those boxes, at the threshold and above, best first."""
    found = judge(graph, photo, boxes)
    return strongest(found.take(found.scores >= threshold), NMS_IOU)
