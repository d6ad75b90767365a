"""Grad-CAM in the graph: Keras' own gradients say the same, and it depends on what was learnt."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.dataset import Dataset
from training.evaluate import run_model
from training.explain import MAPS, WEIGHTS, gradient_maps
from training.export import golden_images, write_onnx
from training.systems import proposed
from training.train import load_network
from training.verify import VerificationError, verify

RELEASED = sorted((Path(__file__).parents[2] / "models").glob("expression-*"))


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("explain") / "model.onnx"
    write_onnx(load_network(run), path)
    return path


def altered(source: Path, path: Path, change: dict[str, NDArray[np.float32]]) -> Path:
    """A copy with other weights."""
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        if tensor.name in change:
            tensor.CopyFrom(numpy_helper.from_array(change[tensor.name], tensor.name))
    onnx.save(model, path)
    return path


def weights_of(path: Path) -> dict[str, NDArray[np.float32]]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def test_the_maps_are_those_of_keras_own_gradients(
    exported: Path, run: Path, dataset: Dataset
) -> None:
    images = dataset.images[:70]  # more than one batch
    found = run_model(exported, images)[MAPS]
    assert found.shape == (70, 7, 6, 6)
    assert found.dtype == np.float32
    assert found.max() > 0.01
    np.testing.assert_allclose(found, gradient_maps(load_network(run), images), atol=1e-5)


def test_they_tell_how_much_each_place_contributed(exported: Path, tmp_path: Path) -> None:
    """Before the relu, a map sums to its logit without the bias."""
    model = onnx.load(exported)
    model.graph.output.append(helper.make_empty_tensor_value_info(f"{MAPS}/sum"))
    onnx.save(model, tmp_path / "model.onnx")
    outputs = run_model(tmp_path / "model.onnx", golden_images())
    bias = next(v for k, v in weights_of(exported).items() if "logits" in k and v.ndim == 1)
    np.testing.assert_allclose(
        outputs[f"{MAPS}/sum"].sum(axis=(2, 3)), outputs["logits"] - bias, atol=1e-4
    )


def test_verify_refuses_maps_of_other_classes(
    exported: Path, run: Path, dataset: Dataset, tmp_path: Path
) -> None:
    weights = np.roll(weights_of(exported)[WEIGHTS], 1, axis=0)
    other = altered(exported, tmp_path / "model.onnx", {WEIGHTS: weights})
    with pytest.raises(VerificationError, match="output maps: expected Keras and ONNX Runtime"):
        verify(load_network(run), other, dataset.images[:32])


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Spearman's, of two maps; equal values share their mean rank."""

    def ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        shared: NDArray[np.float64] = (counts.cumsum() - (counts - 1) / 2)[inverse.ravel()]
        return shared

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


@pytest.mark.parametrize("directory", RELEASED, ids=lambda path: path.name)
def test_the_maps_change_with_what_was_learnt(directory: Path, tmp_path: Path) -> None:
    """The sanity check of Adebayo et al. 2018 (arXiv 1810.03292), section 3.

    A map that stays when weights are drawn anew shows edges of the picture, not reasons. A nudge
    of the same weights, the control, must leave the map nearly as it is.
    """
    source, images = directory / "model.onnx", golden_images()
    outputs = run_model(source, images)
    strongest = outputs["logits"].argmax(axis=1)
    maps = outputs[MAPS][np.arange(len(images)), strongest]
    learnt = weights_of(source)
    kernels = [node.input[1] for node in onnx.load(source).graph.node if node.op_type == "Conv"]
    last_block = [name for name in kernels if learnt[name].shape[0] == learnt[WEIGHTS].shape[1]]
    random = np.random.default_rng(0)

    def correlation(names: list[str], share: float) -> float:
        """With the map after `share` of these weights was replaced by others as large.

        The mean of eight draws: weights of the classes alone may fall so that the map stays.
        """
        path, correlations = tmp_path / "model.onnx", []
        for _ in range(8):
            change = {
                name: (1 - share) * learnt[name] + share * random.permuted(learnt[name])
                for name in names
            }
            altered(source, path, {name: values.astype("f4") for name, values in change.items()})
            found = run_model(path, images)[MAPS][np.arange(len(images)), strongest]
            correlations += [rank_correlation(a, b) for a, b in zip(maps, found, strict=True)]
        return float(np.mean(correlations))

    assert len(last_block) >= 3
    for names in ([WEIGHTS], last_block):
        assert correlation(names, 0.01) > 0.95
        assert correlation(names, 1.0) < 0.5


def max_pooled() -> keras.Model:
    image = keras.Input((48, 48, 1))
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    return keras.Model(image, {"logits": layers.Dense(7)(x)})


@pytest.mark.parametrize("build", [proposed.build, max_pooled])
def test_another_head_is_refused(build: Callable[[], keras.Model], tmp_path: Path) -> None:
    image = keras.Input((48, 48), dtype="uint8", name="image")
    scaled = layers.Reshape((48, 48, 1), dtype="float32")(image)
    network = keras.Model(image, build()(scaled))
    with pytest.raises(ValueError, match="Grad-CAM is written for global average pooling and one"):
        write_onnx(network, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
