"""What a run's log tells: its cost, its schedules, and whether accuracy still rose at its end."""

from itertools import pairwise
from typing import Any

import numpy as np


def accuracy(epoch: dict[str, Any], prefix: str) -> float:
    """That of an epoch; `prefix` is "val_" for PublicTest's.

    Keras leaves the head's name out where a network has one head only.
    """
    name = f"{prefix}logits_accuracy"
    value: float = epoch[name] if name in epoch else epoch[f"{prefix}accuracy"]
    return value


def convergence(history: list[dict[str, Any]], planned: int) -> str:
    """Whether a run converged: the last tenth of its epochs on average against the tenth before.

    Epochs are those of its last schedule, and a tenth is three at least, where there are six. Up to
    half a point of PublicTest's accuracy does not count as a rise.
    """
    if steps := history[0].get("newton_steps"):
        return f"{'solved' if steps < planned else 'not converged'}: {steps} Newton steps"
    if len(history) < planned:
        return f"not converged: {len(history)} of {planned} epochs"
    right = [accuracy(epoch, "val_") for epoch in history[-schedules(history)[-1] :]]
    if len(right) == 1:
        return "not converged: a single epoch"
    last = min(max(3, len(right) // 10), len(right) // 2)
    rise = float(np.mean(right[-last:]) - np.mean(right[-2 * last : -last]))
    if rise <= 0.005:
        return "converged"
    return f"not converged: still rising, {100 * rise:.1f} points in {last} epochs"


def hours(history: list[dict[str, Any]]) -> float:
    """What all epochs would take at the pace of the median one, on each device that computed some.

    The sum of their times would count the nights of a machine that slept.
    """
    seconds: dict[str, list[float]] = {}
    for epoch in history:
        seconds.setdefault(epoch.get("device", ""), []).append(epoch["seconds"])
    return sum(len(some) * float(np.median(some)) for some in seconds.values()) / 3600


def schedules(history: list[dict[str, Any]]) -> list[int]:
    """Epochs of each schedule that the run went through, one after the other.

    A run whose config was given more epochs goes on at the learning rate of the longer schedule,
    which is higher (a warm restart: Loshchilov & Hutter 2017, arXiv 1608.03983).
    """
    if not all("learning_rate" in epoch for epoch in history):  # as logs of before, or an SVM's
        return [len(history)]
    rates = [epoch["learning_rate"] for epoch in history]
    ends = [
        epoch
        for epoch in range(2, len(rates))
        if rates[epoch - 2] >= rates[epoch - 1] < rates[epoch]
    ]
    return [end - start for start, end in pairwise([0, *ends, len(rates)])]
