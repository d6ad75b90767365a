"""Each network's shape and cost, as documented."""

import keras
import numpy as np
import pytest

from training.systems import count_macs, mien, proposed


def test_mien_has_two_heads_and_stays_in_its_budget() -> None:
    network = mien.build()
    logits = network(np.zeros((2, 48, 48, 1), "float32"))
    assert {head: tuple(values.shape) for head, values in logits.items()} == {
        "logits": (2, 7),
        "ferplus": (2, 8),
    }
    assert count_macs(network) < 60e6


def test_mien_without_ferplus_has_one_head() -> None:
    assert list(mien.build(ferplus=False).output) == ["logits"]


def test_stages_halve_the_picture() -> None:
    shapes = [layer.output.shape[1] for layer in mien.build().layers if "add" in layer.name]
    assert shapes == [24, 12, 6]


def test_the_papers_network_costs_what_was_computed_for_it() -> None:
    assert count_macs(proposed.build()) / 1e6 == pytest.approx(266.3, abs=0.1)


def test_the_papers_network_has_no_second_head() -> None:
    with pytest.raises(ValueError, match="one head"):
        proposed.build(ferplus=True)


def test_macs_by_hand() -> None:
    image = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    expected = 24 * 24 * 9 * 4 + 24 * 24 * 9 * 4 + 24 * 24 * 4 * 5
    assert count_macs(keras.Model(image, x)) == expected
