"""Each figure against a value worked out by hand or against its definition."""

import numpy as np
import pytest

from training.metrics import (
    brier_score,
    confidence_for_precision,
    confusion_matrix,
    fit_temperature,
    js_divergence,
    kl_divergence,
    majority_votes,
    mcnemar,
    negative_log_likelihood,
    reliability,
    softmax,
    vote_shares,
    wilson_interval,
)


def test_softmax_survives_large_logits_and_follows_the_temperature() -> None:
    logits = np.array([[1000.0, 999.0], [-1000.0, -1001.0]], np.float32)
    expected = [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))]
    np.testing.assert_allclose(softmax(logits), [expected, expected], rtol=1e-6)
    np.testing.assert_allclose(softmax(logits, 2.0)[0, 0], 1 / (1 + np.exp(-0.5)), rtol=1e-6)


def test_wilson_interval_of_a_textbook_case() -> None:
    # 15 of 20: Newcombe 1998 gives .531 to .888.
    assert wilson_interval(15, 20) == pytest.approx((0.531, 0.888), abs=5e-4)


def test_confusion_matrix_has_true_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_likelihood_and_brier_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2], [0.5, 0.5]], np.float32)
    labels = np.array([0, 1])
    expected = -(np.log(0.8) + np.log(0.5)) / 2
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(expected)
    assert brier_score(probabilities, labels) == pytest.approx((0.08 + 0.5) / 2)


def test_calibration_error_by_hand() -> None:
    # Four predictions at .9, half right; one at .55, right: (4 x .4 + 1 x .45) / 5.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.55, 0.45]])
    curve = reliability(probabilities.astype(np.float32), np.array([0, 0, 1, 1, 0]))
    assert curve.counts.sum() == 5
    assert curve.error == pytest.approx((4 * 0.4 + 0.45) / 5, abs=1e-6)


def test_full_confidence_falls_into_the_last_bin() -> None:
    curve = reliability(np.array([[1.0, 0.0]], np.float32), np.array([0]))
    assert curve.counts[-1] == 1
    assert curve.error == 0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature: float) -> None:
    random = np.random.default_rng(0)
    calibrated = random.normal(0, 2, (20_000, 7)).astype(np.float32)
    noise = random.gumbel(size=calibrated.shape)
    labels = (calibrated + noise).argmax(axis=1)  # drawn from softmax(calibrated)
    assert fit_temperature(calibrated * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_likelihood_of_shares_is_cross_entropy_and_gives_the_same_temperature() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (500, 7)).astype(np.float32)
    labels = random.integers(0, 7, 500)
    one_hot = np.eye(7, dtype=np.float32)[labels]
    assert fit_temperature(logits, one_hot) == pytest.approx(fit_temperature(logits, labels))
    shares = np.array([[0.25, 0.75]], np.float32)
    found = negative_log_likelihood(np.array([[0.5, 0.5]], np.float32), shares)
    assert found == pytest.approx(np.log(2))


def test_divergences_by_hand() -> None:
    wanted = np.array([[1, 0], [0.5, 0.5]], np.float32)
    found = np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    assert kl_divergence(wanted, found) == pytest.approx(np.log(2) / 2)
    assert kl_divergence(wanted, wanted) == js_divergence(found, found) == 0
    # Of (1, 0) and (.5, .5): 1 log(1/.75) / 2 + (.5 log(.5/.75) + .5 log(.5/.25)) / 2.
    one = (np.log(4 / 3) + 0.5 * np.log(2 / 3) + 0.5 * np.log(2)) / 2
    assert js_divergence(wanted, found) == pytest.approx(one / 2)
    assert js_divergence(wanted[:1], wanted[:1, ::-1]) == pytest.approx(np.log(2))


def test_vote_shares_leave_out_who_has_no_vote() -> None:
    voted, shares = vote_shares(np.array([[3, 1], [0, 0], [0, 10]], np.uint8))
    assert voted.tolist() == [True, False, True]
    assert shares.tolist() == [[0.75, 0.25], [0, 1]]


def test_confidence_for_precision_is_the_lowest_that_keeps_the_promise() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    labels = np.array([0, 0, 1, 0])  # the third is wrong
    assert confidence_for_precision(probabilities, labels, 0.75) == pytest.approx(0.6)
    assert confidence_for_precision(probabilities, labels, 0.9) == pytest.approx(0.8)
    assert confidence_for_precision(probabilities, 1 - labels * 0, 0.9) == 1.0


def test_majority_drops_single_votes_and_what_is_no_expression() -> None:
    votes = np.array(
        [
            [6, 3, 1, 0, 0, 0, 0, 0, 0, 0],  # 6 of 9
            [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # no majority
            [0, 0, 0, 0, 0, 0, 0, 0, 9, 1],  # unknown
            [5, 1, 1, 1, 1, 1, 0, 0, 0, 0],  # 5 of 5 once slips are gone
        ],
        np.uint8,
    )
    counts, winner = majority_votes(votes)
    assert counts.tolist() == [True, False, False, True]
    assert winner[counts].tolist() == [0, 0]


def test_mcnemar_is_the_exact_binomial_test() -> None:
    """By hand: 12 coins, 2 or fewer heads or tails: 2 (1 + 12 + 66) / 4096."""
    assert mcnemar(10, 2) == pytest.approx(2 * 79 / 4096)
    assert mcnemar(2, 10) == mcnemar(10, 2)
    assert mcnemar(5, 5) == 1
    assert mcnemar(0, 0) == 1


def test_mcnemar_stands_large_numbers() -> None:
    assert mcnemar(1000, 900) == pytest.approx(0.023, abs=0.001)
    assert mcnemar(4000, 100) == 0
