"""How good predictions are: accuracy in its several senses, and calibration.

Arrays: `logits` and `probabilities` float32 [N, K], `labels` integers [N]. Shares are 0..1.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.integer]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    scaled = logits / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson (1927): the share that `successes` of `trials` allows, at 95 % for z = 1.96."""
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return float(centre - half), float(centre + half)


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """[true, predicted] counts."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def balanced_accuracy(predicted: Labels, labels: Labels) -> float:
    """The mean recall of the classes that occur among the labels."""
    return float(np.mean([(predicted == k)[labels == k].mean() for k in np.unique(labels)]))


def negative_log_likelihood(probabilities: Floats, targets: Labels | Floats) -> float:
    """Of `targets`, labels [N] or shares of the labels [N, K]; it is cross-entropy for those."""
    shares = np.eye(probabilities.shape[1])[targets] if targets.ndim == 1 else targets
    return float(-(shares * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1).mean())


def brier_score(probabilities: Floats, labels: Labels) -> float:
    """Brier (1950), summed over the classes: 0 is perfect, 2 is certain and wrong."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - wanted).sum(axis=1).mean())


def kl_divergence(wanted: Floats, found: Floats) -> float:
    """Mean Kullback-Leibler divergence of `found` from `wanted`, distributions [N, K], in nats."""
    ratio = np.where(wanted > 0, wanted, 1) / np.where(wanted > 0, np.maximum(found, 1e-12), 1)
    return float((wanted * np.log(ratio)).sum(axis=1).mean())


def js_divergence(one: Floats, other: Floats) -> float:
    """Mean Jensen-Shannon divergence (Lin 1991), in nats: 0 is equal, log 2 shares nothing."""
    middle = (one + other) * np.float32(0.5)
    return (kl_divergence(one, middle) + kl_divergence(other, middle)) / 2


@dataclass(frozen=True)
class Reliability:
    """Predictions in bins of equal width by their confidence; empty bins hold zeros."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]  # mean of each bin
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599)."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((self.counts * gaps).sum() / self.counts.sum())


def reliability(probabilities: Floats, labels: Labels, bins: int = 15) -> Reliability:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    divisor = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(bin_of, weights=confidence, minlength=bins) / divisor,
        np.bincount(bin_of, weights=right, minlength=bins) / divisor,
    )


def fit_temperature(logits: Floats, targets: Labels | Floats) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017), by golden section.

    The likelihood has one peak in 1/T, and so in log T, which is searched from 1/5 to 5.
    """
    ratio = (np.sqrt(5) - 1) / 2
    low, high = -np.log(5), np.log(5)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits, np.exp(log_temperature)), targets)

    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def confidence_for_precision(probabilities: Floats, labels: Labels, precision: float) -> float:
    """The lowest confidence from which on predictions are right in `precision` of the cases."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence)
    right = (probabilities.argmax(axis=1) == labels)[order]
    shares = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero(shares >= precision)
    return float(confidence[order[enough[-1]]]) if len(enough) else 1.0


def vote_shares(votes: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], Floats]:
    """Votes [N, K] as distributions: which rows have any vote, and the shares in those rows."""
    counts = votes.sum(axis=1)
    voted = counts > 0
    return voted, (votes[voted] / counts[voted, None]).astype(np.float32)


def majority_votes(votes: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """FER+'s majority rule (Barsoum et al. 2016, arXiv 1608.01041): which images count, as what.

    Single votes are taken for slips and dropped; an image counts where more than half of the rest
    agree on one of the eight expressions. votes [N, 10] -> (counts [N], winner [N]).
    """
    kept = np.where(votes > 1, votes, 0).astype(np.int64)
    winner = kept.argmax(axis=1)
    return (kept.max(axis=1) > 0.5 * kept.sum(axis=1)) & (winner < 8), winner


def mcnemar(only_first: int, only_second: int) -> float:
    """p of so uneven a split of the images that only one of two got right: McNemar 1947, exact."""
    discordant = only_first + only_second
    fewer = min(only_first, only_second)
    ways = sum(comb(discordant, k) for k in range(fewer + 1))
    # Whole numbers up to here: one outcome's probability is too small for a float.
    return min(1.0, 2 * ways / (1 << discordant))
